//! How takes are exported.

/// What of a variation is written, at which rate and in which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportOptions {
    /// The seed clip, then the continuation; else the continuation alone.
    pub with_seed: bool,
    /// The model's own rate; else the host's.
    pub model_rate: bool,
    /// What the file is.
    pub format: ExportFormat,
}

/// What an exported file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExportFormat {
    /// WAV with 24 bits per sample.
    #[default]
    Wav24,
    /// FLAC with 24 bits per sample.
    Flac24,
    /// FLAC with 16 bits per sample.
    Flac16,
}

impl ExportFormat {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Wav24, Self::Flac24, Self::Flac16];

    /// What the names of such files end in.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Wav24 => "wav",
            Self::Flac24 | Self::Flac16 => "flac",
        }
    }

    /// What it is called.
    pub fn words(self) -> &'static str {
        match self {
            Self::Wav24 => "WAV, 24 bits",
            Self::Flac24 => "FLAC, 24 bits",
            Self::Flac16 => "FLAC, 16 bits",
        }
    }
}

impl Default for ExportOptions {
    fn default() -> Self {
        Self { with_seed: true, model_rate: false, format: ExportFormat::default() }
    }
}
