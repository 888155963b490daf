//! What a WaveNet is trained on: sequences of codes or of real values.

/// Receptive field + N symbols of one recording: each of the last N is predicted from the receptive field before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sequence {
    /// The symbols.
    pub symbols: Symbols,
    /// The class of the recording; 0 where the model has none.
    pub class: usize,
}

/// Codes or real values.
#[derive(Debug, Clone, PartialEq)]
pub enum Symbols {
    /// Codes.
    Codes(Vec<u16>),
    /// Real values; full scale is 1.
    Values(Vec<f32>),
}

impl From<Vec<u16>> for Sequence {
    fn from(codes: Vec<u16>) -> Self {
        Self { symbols: Symbols::Codes(codes), class: 0 }
    }
}

impl From<Vec<f32>> for Sequence {
    fn from(values: Vec<f32>) -> Self {
        Self { symbols: Symbols::Values(values), class: 0 }
    }
}

impl Sequence {
    /// Number of symbols.
    pub fn len(&self) -> usize {
        match &self.symbols {
            Symbols::Codes(codes) => codes.len(),
            Symbols::Values(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The codes; none where it is one of real values.
    pub fn codes(&self) -> &[u16] {
        match &self.symbols {
            Symbols::Codes(codes) => codes,
            Symbols::Values(_) => &[],
        }
    }

    /// The real values; none where it is one of codes.
    pub fn values(&self) -> &[f32] {
        match &self.symbols {
            Symbols::Values(values) => values,
            Symbols::Codes(_) => &[],
        }
    }
}
