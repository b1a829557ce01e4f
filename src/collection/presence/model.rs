//! The presence report, `presence-report/1`, without I/O: gateways and agents build and sign one with [`Look::sign`].

use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::catalogue::{By, ProductId};
use crate::clock::Time;
use crate::collection::report::{self, Hash, Parsed, Sig, Signed, Window};
use crate::error::{FieldErrors, Result};

/// Products of one report, each once for each kind of evidence.
pub const MAX_PRODUCTS: usize = 200;

/// What an agent saw of the catalogue's products on its device.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PresenceReport {
    pub schema: PresenceSchema,
    /// UUID version 7, made by the agent; the same report sent again has the same.
    pub report_id: Uuid,
    pub agent_id: Uuid,
    pub device_id: Uuid,
    /// The time that was looked at; at most 24 hours.
    pub window: Window,
    #[schema(value_type = String, format = DateTime)]
    pub produced_at: Time,
    /// At most 200. None says "I looked and found none of the catalogue".
    pub products: Vec<SeenProduct>,
    pub sig: Sig,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
pub enum PresenceSchema {
    #[serde(rename = "presence-report/1")]
    V1,
}

/// A known product and what gave it away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SeenProduct {
    /// An id of the catalogue, such as `time-doctor`.
    #[schema(value_type = String)]
    pub product: ProductId,
    /// `process`, `package`, `extension`, `certificate` or `socket`.
    #[schema(value_type = String)]
    pub by: By,
    #[schema(value_type = String, format = DateTime)]
    pub first_observed: Time,
    #[schema(value_type = String, format = DateTime)]
    pub last_observed: Time,
}

/// A report before it is signed.
#[derive(Debug, Clone, Serialize)]
pub struct Look {
    pub report_id: Uuid,
    pub agent_id: Uuid,
    pub device_id: Uuid,
    pub window: Window,
    pub produced_at: Time,
    pub products: Vec<SeenProduct>,
}

impl Look {
    /// The report as JSON to be sent, and its hash. Each product is named once for each kind of evidence: what was
    /// seen several times is put together.
    pub fn sign(&self, key: &SigningKey) -> anyhow::Result<(Value, Hash)> {
        let mut look = self.clone();
        look.products = together(&self.products);
        let Value::Object(mut fields) = serde_json::to_value(&look)? else {
            anyhow::bail!("a report is an object");
        };
        fields.insert("schema".into(), serde_json::to_value(PresenceSchema::V1)?);
        report::sign(fields, key)
    }
}

fn together(products: &[SeenProduct]) -> Vec<SeenProduct> {
    let mut once: Vec<SeenProduct> = Vec::new();
    for seen in products {
        match once.iter_mut().find(|o| (o.product, o.by) == (seen.product, seen.by)) {
            Some(known) => {
                known.first_observed = known.first_observed.min(seen.first_observed);
                known.last_observed = known.last_observed.max(seen.last_observed);
            }
            None => once.push(*seen),
        }
    }
    once
}

/// A presence report that has the right shape.
pub type ParsedLook = Parsed<PresenceReport>;

impl Signed for PresenceReport {
    fn check(&self) -> Result<()> {
        let mut errors = FieldErrors::default();
        self.window.check(self.produced_at, &mut errors);
        if self.products.len() > MAX_PRODUCTS {
            errors.add("/products", "must hold at most 200 products");
        }
        for (i, seen) in self.products.iter().enumerate().take(MAX_PRODUCTS) {
            for (name, at) in [("first_observed", seen.first_observed), ("last_observed", seen.last_observed)]
            {
                if !self.window.holds(at) {
                    errors.add(format!("/products/{i}/{name}"), "must lie inside the window");
                }
            }
            if seen.last_observed < seen.first_observed {
                errors.add(format!("/products/{i}"), "must not end before it begins");
            }
            if self.products[..i].iter().any(|o| (o.product, o.by) == (seen.product, seen.by)) {
                errors.add(format!("/products/{i}"), "names a product again with the same evidence");
            }
        }
        errors.into_result()
    }

    fn sig(&self) -> &Sig {
        &self.sig
    }

    fn agent_id(&self) -> Uuid {
        self.agent_id
    }

    fn device_id(&self) -> Uuid {
        self.device_id
    }

    fn window(&self) -> Window {
        self.window
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    fn at(text: &str) -> Time {
        text.parse::<jiff::Timestamp>().unwrap().into()
    }

    fn look() -> Look {
        let seen = |by, first: &str, last: &str| SeenProduct {
            product: ProductId::parse("activtrak").unwrap(),
            by,
            first_observed: at(first),
            last_observed: at(last),
        };
        Look {
            report_id: Uuid::from_u128(1),
            agent_id: Uuid::from_u128(2),
            device_id: Uuid::from_u128(3),
            window: Window { start: at("2026-11-01T10:00:00Z"), end: at("2026-11-01T10:05:00Z") },
            produced_at: at("2026-11-01T10:05:01Z"),
            products: vec![
                seen(By::Process, "2026-11-01T10:01:00Z", "2026-11-01T10:02:00Z"),
                seen(By::Package, "2026-11-01T10:01:00Z", "2026-11-01T10:02:00Z"),
                seen(By::Process, "2026-11-01T10:03:00Z", "2026-11-01T10:04:00Z"),
            ],
        }
    }

    fn signed(change: impl FnOnce(&mut Value)) -> Result<ParsedLook> {
        let key = SigningKey::from_bytes(&[7; 32]);
        let (mut value, _) = look().sign(&key).unwrap();
        change(&mut value);
        let (value, _) = report::sign(value.as_object().unwrap().clone(), &key).unwrap();
        ParsedLook::read(value.to_string().as_bytes())
    }

    #[test]
    fn what_is_built_is_read_and_names_each_product_once() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let (value, hash) = look().sign(&key).unwrap();
        let parsed = ParsedLook::read(value.to_string().as_bytes()).unwrap();
        assert_eq!(parsed.hash, hash);
        assert!(parsed.is_signed_by(&key.verifying_key()));
        assert!(!parsed.is_signed_by(&SigningKey::from_bytes(&[8; 32]).verifying_key()));
        let products = &parsed.report.products;
        assert_eq!(products.len(), 2);
        assert_eq!(products[0].last_observed, at("2026-11-01T10:04:00Z"));
    }

    #[test]
    fn each_fault_is_named_by_its_place_and_nothing_is_repeated() {
        type Change = fn(&mut Value);
        let cases: [(&str, Change); 11] = [
            ("/products/0", |v| v["products"][0]["path"] = "My secret folder".into()),
            ("/products/0/product", |v| v["products"][0]["product"] = "My secret program".into()),
            ("/products/0/by", |v| v["products"][0]["by"] = "My secret way".into()),
            ("/products/0", |v| v["products"][0]["My secret field"] = 1.into()),
            ("", |v| v["My secret field"] = 1.into()),
            ("/schema", |v| v["schema"] = "collection-report/1".into()),
            ("/window", |v| v["window"]["end"] = "2026-11-03T10:00:00Z".into()),
            ("/window/end", |v| v["window"]["end"] = "2026-11-01T09:00:00Z".into()),
            ("/products/0/first_observed", |v| {
                v["products"][0]["first_observed"] = "2026-10-01T10:00:00Z".into();
            }),
            ("/products/2", |v| {
                let again = v["products"][0].clone();
                v["products"].as_array_mut().unwrap().push(again);
            }),
            ("/products", |v| v["products"] = Value::Array(vec![v["products"][0].clone(); 201])),
        ];
        for (expected, change) in cases {
            let error = signed(change).expect_err(expected);
            assert!(!format!("{error:?}").contains("secret"), "{error:?}");
            let Error::Invalid(errors) = error else { panic!("{error:?}") };
            assert_eq!(errors.iter().next().unwrap().field, expected);
        }
    }
}
