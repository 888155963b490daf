//! Graphics adapters as the system lists them, and which one is meant.

use std::fmt;

/// What an adapter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A card with memory of its own.
    Discrete,
    /// Part of the processor.
    Integrated,
    /// A part of a card that is given to a virtual machine.
    Virtual,
    /// Hardware of a kind that its driver does not state.
    Other,
    /// A program on the CPU that answers like a card: slower than our own CPU path, and good for tests.
    Software,
}

/// An adapter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adapter {
    /// The model, as its driver names it.
    pub name: String,
    /// Through what it is reached: Vulkan, Metal or DirectX 12.
    pub api: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Its maker's and its own number, to know one that is reached in two ways.
    pub id: (u32, u32),
}

impl fmt::Display for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let software = if self.kind == Kind::Software { ", in software" } else { "" };
        write!(f, "{} ({}{software})", self.name, self.api)
    }
}

/// Puts adapters into the order in which they are numbered: cards before parts of a processor, software last. One that is
/// reached in two ways keeps the first of them.
pub fn numbered<T>(mut adapters: Vec<(Adapter, T)>) -> Vec<(Adapter, T)> {
    let mut seen = Vec::new();
    adapters.retain(|(adapter, _)| {
        let twice = seen.iter().any(|(id, api)| *id == adapter.id && *api != adapter.api);
        seen.push((adapter.id, adapter.api));
        !twice
    });
    // A stable sort: alike ones stay as the system lists them.
    adapters.sort_by_key(|(adapter, _)| adapter.kind);
    adapters
}

/// The number of the first one that is hardware.
pub fn hardware(adapters: &[Adapter]) -> Option<usize> {
    adapters.iter().position(|adapter| adapter.kind != Kind::Software)
}

/// All of them with their numbers, for a user.
pub fn list(adapters: &[Adapter]) -> String {
    let words = adapters.iter().enumerate().map(|(number, adapter)| format!("gpu:{number}, {adapter}"));
    words.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapter(name: &str, api: &'static str, kind: Kind, id: u32) -> (Adapter, usize) {
        (Adapter { name: name.to_owned(), api, kind, id: (1, id) }, 0)
    }

    #[test]
    fn cards_come_first_software_last_and_nothing_twice() {
        let found = numbered(vec![
            adapter("soft", "Vulkan", Kind::Software, 0),
            adapter("inside", "Vulkan", Kind::Integrated, 1),
            adapter("card", "Vulkan", Kind::Discrete, 2),
            adapter("card", "Vulkan", Kind::Discrete, 2),
            adapter("card", "DirectX 12", Kind::Discrete, 2),
            adapter("other", "DirectX 12", Kind::Other, 3),
        ]);
        let adapters: Vec<Adapter> = found.into_iter().map(|(adapter, _)| adapter).collect();
        assert_eq!(
            list(&adapters),
            "gpu:0, card (Vulkan); gpu:1, card (Vulkan); gpu:2, inside (Vulkan); gpu:3, other (DirectX 12); \
             gpu:4, soft (Vulkan, in software)"
        );
        assert_eq!(hardware(&adapters), Some(0));
        assert_eq!(hardware(&adapters[4..]), None, "software is never hardware");
        assert_eq!(hardware(&[]), None);
    }
}
