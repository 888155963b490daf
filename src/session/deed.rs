//! What can be undone.

/// What was done, in words that go on after "Undo".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// A render came to its end.
    Render,
    /// Another take was chosen.
    ChooseTake,
    /// A take got another name.
    RenameTake,
    /// A star was given or taken away.
    Star,
    /// A take was taken away.
    DeleteTake,
    /// A part of a take became a take.
    CropTake,
    /// A take was placed in the song.
    PlaceTake,
    /// A placed take was moved, or is played in another way.
    MovePlacement,
    /// A placed take was taken out of the song.
    RemovePlacement,
    /// Another model was chosen.
    ChooseModel,
    /// Another seed clip was chosen.
    ChooseSeed,
    /// Another part of the seed clip was chosen.
    TrimSeed,
    /// A control was turned.
    Turn,
    /// A patch was loaded.
    LoadPatch,
}

impl Deed {
    /// The deed in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Render => "render",
            Self::ChooseTake => "choose take",
            Self::RenameTake => "rename take",
            Self::Star => "star",
            Self::DeleteTake => "delete take",
            Self::CropTake => "crop take",
            Self::PlaceTake => "add to arrangement",
            Self::MovePlacement => "change arrangement",
            Self::RemovePlacement => "remove from arrangement",
            Self::ChooseModel => "choose model",
            Self::ChooseSeed => "choose seed clip",
            Self::TrimSeed => "trim seed clip",
            Self::Turn => "turn a control",
            Self::LoadPatch => "load patch",
        }
    }
}
