//! Known monitoring products: what each can collect, whether it can hide, how it gives itself away, and who says so.
//!
//! "Can collect" is not "collects here": the catalogue says what a product's makers or others wrote about it on a day.
//! What isn't known is left out. Names are compared as a whole, since a part of a name would accuse the wrong program,
//! and with the case rules of their system.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a product was known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    Process,
    Package,
    Extension,
    Certificate,
    Socket,
}

impl By {
    pub const ALL: [By; 5] = [By::Process, By::Package, By::Extension, By::Certificate, By::Socket];

    pub fn id(self) -> &'static str {
        match self {
            By::Process => "process",
            By::Package => "package",
            By::Extension => "extension",
            By::Certificate => "certificate",
            By::Socket => "socket",
        }
    }

    pub fn parse(id: &str) -> Option<Self> {
        By::ALL.into_iter().find(|by| by.id() == id)
    }

    /// For headings of lists of names.
    pub fn label(self) -> &'static str {
        match self {
            By::Process => "Running programs",
            By::Package => "Installed packages",
            By::Extension => "Browser extensions",
            By::Certificate => "Signed by",
            By::Socket => "Sends to",
        }
    }

    /// For sentences: "seen by …".
    pub fn words(self) -> &'static str {
        match self {
            By::Process => "the name of a running program",
            By::Package => "an installed package",
            By::Extension => "a browser extension",
            By::Certificate => "the certificate that a program is signed with",
            By::Socket => "a connection to its maker’s server",
        }
    }
}

/// The system whose rules a name follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum System {
    Any,
    Windows,
    Macos,
    Linux,
}

impl System {
    pub fn name(self) -> &'static str {
        match self {
            System::Any => "any system",
            System::Windows => "Windows",
            System::Macos => "macOS",
            System::Linux => "Linux",
        }
    }
}

/// Whether it can run without being seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stealth {
    Yes,
    No,
    Unknown,
}

impl Stealth {
    pub fn words(self) -> &'static str {
        match self {
            Stealth::Yes => "Its maker says that it can run unseen",
            Stealth::No => "Its maker says that it can’t run unseen",
            Stealth::Unknown => "Unknown whether it can run unseen",
        }
    }

    /// The chip's class in the style sheet; never one that reassures.
    pub fn class(self) -> &'static str {
        if self == Stealth::Yes { "bad" } else { "unknown" }
    }

    /// For a chip.
    pub fn label(self) -> &'static str {
        match self {
            Stealth::Yes => "Can run unseen",
            Stealth::No => "Can’t run unseen, says its maker",
            Stealth::Unknown => "Unknown whether it can run unseen",
        }
    }
}

/// How sure a claim is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sureness {
    Documented,
    Seen,
    Reported,
}

impl Sureness {
    pub fn words(self) -> &'static str {
        match self {
            Sureness::Documented => "documented by its maker",
            Sureness::Seen => "seen when we ran it",
            Sureness::Reported => "reported by others",
        }
    }
}

/// A name that gives a product away.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telltale {
    pub by: By,
    #[serde(rename = "os")]
    pub system: System,
    pub name: String,
    /// Where it is said.
    pub source: String,
    pub sure: Sureness,
}

impl Telltale {
    /// Whether a name seen on a computer is this one: all of it, never a part.
    fn is(&self, seen: &str) -> bool {
        match self.by {
            // A host and those below it.
            By::Socket => {
                let seen = seen.strip_suffix('.').unwrap_or(seen).to_ascii_lowercase();
                seen.strip_suffix(&self.name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            By::Process | By::Package if self.system == System::Windows => {
                self.name.eq_ignore_ascii_case(seen)
            }
            _ => self.name == seen,
        }
    }
}

/// A product that can record what people do.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Product {
    /// As agents name it in their reports and the register as a source.
    pub id: String,
    pub name: String,
    pub vendor: String,
    /// Ids of the taxonomy's categories.
    pub categories: Vec<String>,
    pub stealth: Stealth,
    /// Where it is said what it can collect.
    pub sources: Vec<String>,
    /// The day that the sources were read, such as 2026-11-21.
    pub read: String,
    pub sure: Sureness,
    pub telltales: Vec<Telltale>,
}

impl Product {
    /// Its telltale names, by what they are names of.
    pub fn telltales_by(&self) -> BTreeMap<By, Vec<&Telltale>> {
        let mut all: BTreeMap<By, Vec<&Telltale>> = BTreeMap::new();
        for telltale in &self.telltales {
            all.entry(telltale.by).or_default().push(telltale);
        }
        all
    }

    /// Whether every word of a search stands in its name, its vendor or its id.
    pub fn is_called(&self, search: &str) -> bool {
        let text = format!("{} {} {}", self.id, self.name, self.vendor).to_lowercase();
        search.to_lowercase().split_whitespace().all(|word| text.contains(word))
    }
}

static PRODUCTS: LazyLock<Vec<Product>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("products.json"))
        .expect("products.json is well formed; a test reads it")
});

/// Every known product, by id.
pub fn all() -> &'static [Product] {
    &PRODUCTS
}

/// The id of a known product; there are no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProductId(u16);

impl ProductId {
    pub fn parse(id: &str) -> Option<Self> {
        let place = PRODUCTS.binary_search_by(|p| p.id.as_str().cmp(id)).ok()?;
        u16::try_from(place).ok().map(ProductId)
    }

    pub fn product(self) -> &'static Product {
        &PRODUCTS[usize::from(self.0)]
    }

    pub fn as_str(self) -> &'static str {
        &self.product().id
    }
}

impl fmt::Display for ProductId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ProductId {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ProductId {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        ProductId::parse(&text).ok_or_else(|| serde::de::Error::custom("not a known product"))
    }
}

/// A product by its id.
pub fn find(id: &str) -> Option<&'static Product> {
    ProductId::parse(id).map(ProductId::product)
}

/// The product that a name gives away, if it is one of the known names.
pub fn identify(by: By, seen: &str) -> Option<ProductId> {
    let place = PRODUCTS.iter().position(|p| p.telltales.iter().any(|t| t.by == by && t.is(seen)))?;
    u16::try_from(place).ok().map(ProductId)
}

/// By the file name of a running program, without its folder.
pub fn by_process(name: &str) -> Option<ProductId> {
    identify(By::Process, name)
}

/// By a package's, bundle's or installed program's own name.
pub fn by_package(name: &str) -> Option<ProductId> {
    identify(By::Package, name)
}

/// By a browser extension's id.
pub fn by_extension(id: &str) -> Option<ProductId> {
    identify(By::Extension, id)
}

/// By the common name of the certificate that a program is signed with.
pub fn by_certificate(common_name: &str) -> Option<ProductId> {
    identify(By::Certificate, common_name)
}

/// By a host that a program is connected to, or one below it.
pub fn by_domain(host: &str) -> Option<ProductId> {
    identify(By::Socket, host)
}

#[cfg(test)]
mod tests;
