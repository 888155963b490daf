//! Where a worker stands before the first step: all have to stand at the same place.

use serde::{Deserialize, Serialize};

/// What a worker is about to train, and from where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Its version.
    pub trainer_version: String,
    /// How many workers it counts.
    pub workers: usize,
    /// The configuration's SHA-256, as hexadecimal digits.
    pub config: String,
    /// The dataset's fingerprint.
    pub dataset: String,
    /// Steps made.
    pub step: u64,
    /// SHA-256 of everything that the next step depends on: weights, averages, moments, states, the place in the dataset.
    pub state: String,
    /// Bytes of the largest frame that it will send.
    pub most_bytes: usize,
}

impl Standing {
    /// What another one has that this one, worker 0's, has not, as the end of a sentence; `None` if they agree.
    pub fn differs(&self, other: &Self) -> Option<String> {
        let short = |hash: &str| hash.chars().take(12).collect::<String>();
        let mut found = Vec::new();
        let mut compare = |what: &str, ours: String, theirs: String| {
            if ours != theirs {
                found.push(format!("{what} ({theirs}; worker 0 has {ours})"));
            }
        };
        compare("another trainer", self.trainer_version.clone(), other.trainer_version.clone());
        compare("another number of workers", self.workers.to_string(), other.workers.to_string());
        compare("another configuration", short(&self.config), short(&other.config));
        compare("another dataset", short(&self.dataset), short(&other.dataset));
        compare("another step", self.step.to_string(), other.step.to_string());
        // Weights follow from the rest, so they are worth a word only where the rest agrees.
        if found.is_empty() && (&self.state, self.most_bytes) != (&other.state, other.most_bytes) {
            found.push(format!("other weights ({}; worker 0 has {})", short(&other.state), short(&self.state)));
        }
        (!found.is_empty()).then(|| format!("it has {}", found.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named() {
        let ours = Standing {
            trainer_version: "1".into(),
            workers: 2,
            config: "c".into(),
            dataset: "d".into(),
            step: 4,
            state: "s".into(),
            most_bytes: 8,
        };
        assert_eq!(ours.differs(&ours.clone()), None);
        let said = |other: &Standing| ours.differs(other).unwrap_or_default();
        let other = Standing { step: 3, config: "e".into(), state: "t".into(), ..ours.clone() };
        assert_eq!(said(&other), "it has another configuration (e; worker 0 has c), another step (3; worker 0 has 4)");
        assert_eq!(said(&Standing { state: "t".into(), ..ours.clone() }), "it has other weights (t; worker 0 has s)");
    }
}
