//! What to answer to whom while something is dragged over an X11 window: the target's side of XDND, without a connection.
//!
//! <https://www.freedesktop.org/wiki/Specifications/XDND/>

use std::path::PathBuf;

use url::Url;

/// A window's number.
pub type Window = u32;

/// What the one who drags says, and what the server brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// The pointer has come over the window.
    Enter {
        /// Whose drag it is.
        source: Window,
        /// Whether files are dragged.
        has_files: bool,
    },
    /// The pointer is here. Every such message is to be answered.
    Position {
        /// Whose drag it is.
        source: Window,
        /// Whether it is over what is drawn, and not over something beside it.
        inside: bool,
        /// The server's time, for whoever asks for the files.
        time: u32,
    },
    /// The pointer has gone, or nothing comes of it.
    Leave {
        /// Whose drag it was.
        source: Window,
    },
    /// It was let go.
    Drop {
        /// Whose drag it was.
        source: Window,
        /// The server's time.
        time: u32,
    },
    /// The list of files that was asked for; none where there is no such thing.
    Files(Option<Vec<u8>>),
}

/// What to do next, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Ask for the list of files.
    AskForFiles {
        /// The server's time.
        time: u32,
    },
    /// Tell whether a drop here would be taken.
    Status {
        /// To whom.
        source: Window,
        /// Whether it would.
        accepts: bool,
    },
    /// Tell that it is over.
    Finished {
        /// To whom.
        source: Window,
        /// Whether something came of it.
        accepted: bool,
    },
    /// These files are over the window now; none for nothing.
    Hover(Vec<PathBuf>),
    /// These files were dropped on it.
    Dropped(Vec<PathBuf>),
}

/// One drag.
#[derive(Debug)]
struct Drag {
    source: Window,
    inside: bool,
    /// It was let go before the files had come.
    let_go: bool,
    files: Files,
}

/// What is known of the files that are dragged.
#[derive(Debug)]
enum Files {
    /// There are none.
    None,
    /// Nobody has asked for them.
    Unasked,
    /// They have been asked for.
    Asked,
    /// These; none where the list could not be read.
    Known(Vec<PathBuf>),
}

impl Drag {
    /// Asks for the files, once.
    fn ask(&mut self, time: u32) -> Vec<Answer> {
        match self.files {
            Files::Unasked => {
                self.files = Files::Asked;
                vec![Answer::AskForFiles { time }]
            }
            _ => Vec::new(),
        }
    }
}

/// What is dragged over a window.
#[derive(Debug)]
pub struct Drags {
    drag: Option<Drag>,
    /// Whether something comes of these files.
    is_good: fn(&[PathBuf]) -> bool,
}

impl Drags {
    /// Nothing yet. Only files of which something comes are accepted.
    pub fn new(is_good: fn(&[PathBuf]) -> bool) -> Self {
        Self { drag: None, is_good }
    }

    /// What to do about a message.
    pub fn hear(&mut self, message: Message) -> Vec<Answer> {
        match message {
            Message::Enter { source, has_files } => {
                let files = if has_files { Files::Unasked } else { Files::None };
                let before = self.drag.replace(Drag { source, inside: false, let_go: false, files });
                // Who has gone without a word has gone all the same.
                before.map(|_| Answer::Hover(Vec::new())).into_iter().collect()
            }
            Message::Position { source, inside, time } => self.position(source, inside, time),
            Message::Leave { source } => {
                let left = self.drag.take_if(|drag| drag.source == source);
                left.map(|_| Answer::Hover(Vec::new())).into_iter().collect()
            }
            Message::Drop { source, time } => self.let_go(source, time),
            Message::Files(list) => self.files(list.as_deref()),
        }
    }

    fn position(&mut self, source: Window, inside: bool, time: u32) -> Vec<Answer> {
        let refusal = Answer::Status { source, accepts: false };
        let Some(drag) = self.drag.as_mut().filter(|drag| drag.source == source) else { return vec![refusal] };
        drag.inside = inside;
        match &drag.files {
            Files::None => vec![refusal],
            Files::Known(files) => {
                let accepts = inside && (self.is_good)(files);
                let shown = if inside { files.clone() } else { Vec::new() };
                vec![Answer::Hover(shown), Answer::Status { source, accepts }]
            }
            // It is answered when they have come.
            Files::Unasked | Files::Asked => drag.ask(time),
        }
    }

    fn let_go(&mut self, source: Window, time: u32) -> Vec<Answer> {
        let Some(drag) = self.drag.as_mut().filter(|drag| drag.source == source) else {
            return vec![Answer::Finished { source, accepted: false }];
        };
        drag.let_go = true;
        match drag.files {
            Files::None | Files::Known(_) => self.conclude(),
            Files::Unasked | Files::Asked => drag.ask(time),
        }
    }

    fn files(&mut self, list: Option<&[u8]>) -> Vec<Answer> {
        let asked = self.drag.as_mut().filter(|drag| matches!(drag.files, Files::Asked));
        let Some(drag) = asked else { return Vec::new() };
        drag.files = Files::Known(list.map(paths).unwrap_or_default());
        if drag.let_go {
            return self.conclude();
        }
        let (source, inside) = (drag.source, drag.inside);
        self.position(source, inside, 0)
    }

    fn conclude(&mut self) -> Vec<Answer> {
        let Some(Drag { source, inside, files, .. }) = self.drag.take() else { return Vec::new() };
        let files = match files {
            Files::Known(files) if inside && !files.is_empty() => Some(files),
            _ => None,
        };
        // Files of which nothing comes are passed on too: the user is to read why.
        let accepted = files.as_deref().is_some_and(self.is_good);
        let news = files.map_or(Answer::Hover(Vec::new()), Answer::Dropped);
        vec![news, Answer::Finished { source, accepted }]
    }
}

/// The local files of a `text/uri-list`.
fn paths(list: &[u8]) -> Vec<PathBuf> {
    let text = String::from_utf8_lossy(list);
    let lines = text.lines().map(|line| line.trim_matches(['\0', ' ', '\t'])).filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| Url::parse(line).ok()).filter_map(|url| url.to_file_path().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: Window = 7;
    const LIST: &[u8] = b"file:///clips/a%20b.wav\r\n";

    fn drags() -> Drags {
        Drags::new(|files| files.len() == 1)
    }

    fn clip() -> Vec<PathBuf> {
        vec![PathBuf::from("/clips/a b.wav")]
    }

    fn enter(has_files: bool) -> Message {
        Message::Enter { source: SOURCE, has_files }
    }

    fn position(inside: bool) -> Message {
        Message::Position { source: SOURCE, inside, time: 5 }
    }

    fn status(accepts: bool) -> Answer {
        Answer::Status { source: SOURCE, accepts }
    }

    #[test]
    fn a_file_is_announced_accepted_and_taken() {
        let mut drags = drags();
        assert_eq!(drags.hear(enter(true)), []);
        assert_eq!(drags.hear(position(true)), [Answer::AskForFiles { time: 5 }]);
        assert_eq!(drags.hear(position(true)), [], "it is answered when the files are known");
        assert_eq!(drags.hear(Message::Files(Some(LIST.to_vec()))), [Answer::Hover(clip()), status(true)]);
        assert_eq!(drags.hear(position(false)), [Answer::Hover(Vec::new()), status(false)], "beside the window");
        assert_eq!(drags.hear(position(true)), [Answer::Hover(clip()), status(true)]);
        let finished = Answer::Finished { source: SOURCE, accepted: true };
        assert_eq!(drags.hear(Message::Drop { source: SOURCE, time: 6 }), [Answer::Dropped(clip()), finished]);
        assert_eq!(drags.hear(position(true)), [status(false)], "it is over");
    }

    #[test]
    fn a_drop_that_comes_before_its_files_is_taken_when_they_come() {
        let mut drags = drags();
        drags.hear(enter(true));
        drags.hear(position(true));
        assert_eq!(drags.hear(Message::Drop { source: SOURCE, time: 6 }), []);
        let finished = Answer::Finished { source: SOURCE, accepted: true };
        assert_eq!(drags.hear(Message::Files(Some(LIST.to_vec()))), [Answer::Dropped(clip()), finished]);
        assert_eq!(drags.hear(Message::Files(Some(LIST.to_vec()))), [], "nobody asked for more");
    }

    #[test]
    fn what_is_no_file_is_refused_and_what_is_of_no_use_too() {
        let refused = [Answer::Hover(Vec::new()), Answer::Finished { source: SOURCE, accepted: false }];
        let mut drags = drags();
        drags.hear(enter(false));
        assert_eq!(drags.hear(position(true)), [status(false)]);
        assert_eq!(drags.hear(Message::Drop { source: SOURCE, time: 6 }), refused);

        for list in [None, Some(Vec::new()), Some(b"https://example.org/a.wav\r\n".to_vec())] {
            drags.hear(enter(true));
            drags.hear(position(true));
            assert_eq!(drags.hear(Message::Files(list)), [Answer::Hover(Vec::new()), status(false)]);
            let answers = drags.hear(Message::Drop { source: SOURCE, time: 6 });
            assert_eq!(answers, refused);
        }
        let two = b"# comment\r\nfile:///a.wav\nfile://localhost/b%FF.wav\r\n\0";
        let files: Vec<PathBuf> = paths(two);
        assert_eq!((files.len(), files[0].to_str()), (2, Some("/a.wav")));
        drags.hear(enter(true));
        drags.hear(position(true));
        assert_eq!(drags.hear(Message::Files(Some(two.to_vec()))), [Answer::Hover(files.clone()), status(false)]);
        // Who drops them all the same is told, and so is the user.
        let answers = drags.hear(Message::Drop { source: SOURCE, time: 6 });
        assert_eq!(answers, [Answer::Dropped(files), refused[1].clone()]);
    }

    #[test]
    fn drags_do_not_mix() {
        let mut drags = drags();
        drags.hear(enter(true));
        drags.hear(position(true));
        let other = Message::Position { source: 8, inside: true, time: 5 };
        assert_eq!(drags.hear(other), [Answer::Status { source: 8, accepts: false }]);
        assert_eq!(drags.hear(Message::Leave { source: 8 }), []);
        assert_eq!(drags.hear(Message::Drop { source: 8, time: 6 }), [Answer::Finished { source: 8, accepted: false }]);
        drags.hear(Message::Files(Some(LIST.to_vec())));
        assert_eq!(drags.hear(Message::Leave { source: SOURCE }), [Answer::Hover(Vec::new())]);
        drags.hear(enter(true));
        assert_eq!(drags.hear(enter(true)), [Answer::Hover(Vec::new())]);
    }
}
