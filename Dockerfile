# syntax=docker/dockerfile:1
FROM rust:1.95-slim-bookworm AS build
# The assembler and C parts of the cryptography need a compiler, which this image has.
WORKDIR /build
COPY . .
# SQL is checked against `.sqlx`: no database is needed.
ENV SQLX_OFFLINE=true
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked && cp target/release/daylight /usr/local/bin/daylight

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin daylight \
    && install -d -o daylight -g daylight -m 0700 /data
COPY --from=build /usr/local/bin/daylight /usr/local/bin/daylight
USER daylight
# Needs DATABASE_URL: this image brings no Postgres. DATA_DIR holds keys; keep it on a volume.
ENV LISTEN=0.0.0.0:8080 DATA_DIR=/data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s CMD ["daylight", "healthcheck"]
ENTRYPOINT ["daylight"]
CMD ["serve"]
