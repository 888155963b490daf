//! What a user may set about the renderer, the same for every project and instance.

use continuo_engine::{MOST_THREADS, Precision};
use serde::{Deserialize, Serialize};

/// How the renderer's threads stand against the host's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// Below everything that the host does.
    #[default]
    Low,
    /// As any other thread.
    Normal,
}

/// The renderer's settings. What a file leaves out stays as it is by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Preferences {
    /// Threads that render; 0 takes half of the processor's cores, two at least.
    pub threads: usize,
    /// Their priority.
    pub priority: Priority,
    /// In what models are computed; none (`"auto"`) leaves it to the model.
    #[serde(with = "precision_or_auto")]
    pub precision: Option<Precision>,
}

impl Preferences {
    /// How many threads render.
    pub fn threads_used(&self) -> usize {
        let cores = cores();
        let threads = if self.threads == 0 { cores.div_ceil(2).max(2).min(cores) } else { self.threads };
        threads.clamp(1, MOST_THREADS)
    }

    /// These settings with each number of threads that makes a difference on this machine: automatic, then the powers of
    /// two up to all cores.
    pub fn by_threads(self) -> Vec<Self> {
        let cores = cores().min(MOST_THREADS);
        let mut threads: Vec<usize> = std::iter::successors(Some(1), |threads| Some(threads * 2))
            .take_while(|&threads| threads < cores)
            .chain([cores])
            .collect();
        threads.insert(0, 0);
        threads.into_iter().map(|threads| Self { threads, ..self }).collect()
    }

    /// These settings in each precision: the model's choice, then all there are.
    pub fn by_precision(self) -> Vec<Self> {
        let all = Precision::ALL.into_iter().map(Some);
        std::iter::once(None).chain(all).map(|precision| Self { precision, ..self }).collect()
    }

    /// The name of the precision: `auto`, `f32`, …
    pub fn precision_name(&self) -> &'static str {
        self.precision.map_or(AUTO, Precision::name)
    }
}

const AUTO: &str = "auto";

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

mod precision_or_auto {
    use continuo_engine::Precision;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    #[allow(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    pub fn serialize<S: Serializer>(precision: &Option<Precision>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(precision.map_or(super::AUTO, Precision::name))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Precision>, D::Error> {
        let name = String::deserialize(deserializer)?;
        if name == super::AUTO {
            return Ok(None);
        }
        let unknown = || D::Error::custom(format!("`{name}` is not a precision; auto, f32, bf16 and int8 are"));
        Precision::named(&name).map(Some).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_begin_with_what_needs_no_choice_and_keep_the_rest() {
        let some = Preferences { threads: 3, priority: Priority::Normal, precision: Some(Precision::Bf16) };
        let threads = some.by_threads();
        assert_eq!(threads.first(), Some(&Preferences { threads: 0, ..some }));
        assert_eq!(threads.last().map(|last| last.threads), Some(cores().min(MOST_THREADS)));
        assert!(threads.windows(2).all(|pair| pair[0].threads < pair[1].threads), "{threads:?}");
        let names: Vec<_> = some.by_precision().iter().map(Preferences::precision_name).collect();
        assert_eq!(names, ["auto", "f32", "bf16", "int8"]);
        assert!(some.by_precision().iter().all(|other| other.threads == 3 && other.priority == Priority::Normal));
        assert!(Preferences::default().threads_used() >= 1);
    }
}
