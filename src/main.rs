//! Continuo as a program of its own, on the system's audio and MIDI ports.

fn main() {
    if !nice_plug::prelude::nice_export_standalone::<continuo::Continuo>() {
        std::process::exit(1);
    }
}
