//! Embeds `static/` into the binary; see `src/web/assets.rs`.
fn main() {
    memory_serve::load_directory("static");
    println!("cargo:rerun-if-changed=migrations");
}
