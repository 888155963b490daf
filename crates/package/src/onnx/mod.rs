//! The part of the ONNX schema that packages use (onnx.proto, IR version 9), for reading and for writing.
//!
//! Messages are declared by hand so that building needs no protobuf compiler; field numbers are the schema's. Fields
//! through which a graph could reach outside the package or hide something are declared too, so that [`decode`] can
//! refuse them. Everything else that the schema has and this file has not is skipped on reading.

mod boundary;
mod build;
mod decode;
mod memory;
mod schema;

pub use boundary::check_boundary;
pub use decode::decode;
pub use schema::*;
