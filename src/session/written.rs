//! Files that were written for the user, and what is said about them.

use std::path::Path;
use std::sync::Arc;

use super::instance::Session;
use super::snapshot::Snapshot;

impl Session {
    /// Puts up a notice that is about a file (or a folder of files), so that an editor can offer to show where it lies.
    pub(crate) fn tell_of_file(&self, notice: &str, file: &Path) {
        let notice: Arc<str> = notice.into();
        self.post(|snapshot| {
            snapshot.notice = Some(Arc::clone(&notice));
            snapshot.written = Some((notice, file.into()));
        });
    }
}

impl Snapshot {
    /// The file that the notice on show is about.
    pub fn told_file(&self) -> Option<&Arc<Path>> {
        let notice = self.notice.as_ref()?;
        self.written.as_ref().filter(|(about, _)| Arc::ptr_eq(about, notice)).map(|(_, file)| file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_goes_with_the_notice_that_is_about_it() {
        let session = Session::new();
        session.tell_of_file("Exported to /a/b.wav.", Path::new("/a/b.wav"));
        assert_eq!(session.snapshot().told_file().map(AsRef::as_ref), Some(Path::new("/a/b.wav")));
        session.post(|snapshot| snapshot.notice = Some("something else".into()));
        assert_eq!(session.snapshot().told_file(), None);
    }
}
