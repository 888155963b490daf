//! What a finding is.

use serde::Serialize;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// Training is pointless or impossible before this is mended.
    Stop,
    /// The model will be worse for it.
    Warning,
    /// Good to know.
    Note,
}

/// Something that was found, and what to do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// How much it matters.
    pub weight: Weight,
    /// A short name, the same in every version: `too-short`.
    pub id: &'static str,
    /// What is so, with figures.
    pub what: String,
    /// What to do about it.
    pub advice: String,
    /// Share of the hours that it is about, 0-1; of the files, where no hours are known.
    pub share: f64,
    /// Files that it is about, the worst first.
    pub files: Vec<String>,
}

impl Finding {
    /// A finding about everything and no file in particular.
    pub(crate) fn new(weight: Weight, id: &'static str, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { weight, id, what: what.into(), advice: advice.into(), share: 1.0, files: Vec::new() }
    }

    /// The same about this share of the whole.
    #[must_use]
    pub(crate) fn of(self, share: f64) -> Self {
        Self { share: share.clamp(0.0, 1.0), ..self }
    }

    /// The same about these files.
    #[must_use]
    pub(crate) fn about(self, files: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { files: files.into_iter().map(Into::into).collect(), ..self }
    }
}

/// What it comes to, in a sentence.
pub fn verdict(findings: &[Finding]) -> String {
    let count = |weight| findings.iter().filter(|finding| finding.weight == weight).count();
    let worst = findings.first().map(|finding| finding.what.as_str()).unwrap_or_default();
    let rest = match count(Weight::Warning) {
        0 => String::new(),
        1 => " (1 warning)".into(),
        many => format!(" ({many} warnings)"),
    };
    match (count(Weight::Stop), count(Weight::Warning)) {
        (0, 0) => "good to train on: nothing needs mending".into(),
        (0, _) => format!("can be trained on{rest}. Look at this first: {worst}"),
        _ => format!("not ready to train on. Mend this first: {worst}"),
    }
}
