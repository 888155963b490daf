//! Pages for people: one HTML file each, with plots inside it and nothing from elsewhere.

mod axis;
pub mod bars;
pub mod page;
pub mod plot;

pub use axis::{Axis, Scale};
pub use bars::{Part, Row, bars, histogram};
pub use page::{Cell, Page, escape};
pub use plot::{Band, Lines, Mark, Series};
