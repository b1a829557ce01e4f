//! What every page and answer shares: who is asking, the page's shell, forms, headers, errors' faces.
//!
//! Routes are made with [`Routes`], which takes who may use each one; that table is what is enforced and
//! what the access test compares.

pub mod assets;
pub mod atom;
pub mod bands;
pub mod client;
pub mod forms;
pub mod headers;
pub mod page;
pub mod pager;
pub mod path;
pub mod problems;
pub mod routes;
pub mod serving;
pub mod times;
pub mod viewer;

pub use forms::{Field, Form, Submitted};
pub use page::{Page, html, see_other};
pub use pager::Pager;
pub use path::Path;
pub use routes::{Access, Routes, bearer};
pub use viewer::{Role, Viewer};
