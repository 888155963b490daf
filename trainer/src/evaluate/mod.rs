//! What a sound is like, in numbers; and what a model is worth, by the sounds that it makes and the recordings that it
//! expects: `evaluate`.

pub mod collapse;
pub mod command;
pub mod comparison;
pub mod corpus;
pub mod drift;
pub mod embedding;
pub mod error;
pub mod figures;
pub mod frechet;
pub mod generate;
pub mod html;
pub mod likelihood;
pub mod measured;
pub mod mel;
pub mod memory;
pub mod model;
pub mod noise_floor;
pub mod onsets;
pub mod progress;
pub mod reference;
pub mod results;
pub mod sound;
pub mod spectrum;
pub mod squared_error;
pub mod statistics;
pub mod symmetric;
pub mod table;
pub mod terminal;

pub use sound::{Listening, listen};
