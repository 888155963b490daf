//! Showing a file in the system's file manager.
//!
//! A file manager may take as long as it likes, and stay: it is asked by a thread that nobody waits for.

use std::path::Path;
use std::sync::Arc;

use super::error::RenderError;
use crate::session::{Concern, Session};
use crate::threads;

/// Shows a file in its folder, or a folder with what is in it.
pub(super) fn reveal(session: &Arc<Session>, path: Arc<Path>) -> Result<(), RenderError> {
    let asking = Arc::downgrade(session);
    let begun = threads::start_unbounded("continuo-reveal", move || {
        let shown = system::show(&path);
        let Some(session) = asking.upgrade() else { return };
        match shown {
            Ok(()) => session.settle(Concern::Export),
            Err(reason) => {
                session.complain_of(Concern::Export, &RenderError::NotShown { path: path.to_path_buf(), reason });
            }
        }
    });
    begun.map_err(|error| RenderError::NoThread(error.to_string()))
}

#[cfg(all(unix, not(target_os = "macos")))]
mod system {
    use std::ffi::OsStr;
    use std::path::Path;
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use ashpd::zbus::connection::Builder;
    use url::Url;

    /// How long a file manager that is being started may take to answer.
    const ANSWER: Duration = Duration::from_secs(20);
    /// What every desktop's file manager listens to.
    const MANAGER: &str = "org.freedesktop.FileManager1";

    pub(super) fn show(path: &Path) -> Result<(), String> {
        first_of(|| pollster::block_on(over_the_bus(path)), || open(OsStr::new("xdg-open"), path))
    }

    /// The outcome of the first way that works.
    fn first_of(
        bus: impl FnOnce() -> Result<(), String>,
        open: impl FnOnce() -> Result<(), String>,
    ) -> Result<(), String> {
        bus().or_else(|bus| open().map_err(|open| format!("the desktop says \"{bus}\", xdg-open \"{open}\"")))
    }

    /// Asks the desktop's file manager, which starts if it does not run.
    async fn over_the_bus(path: &Path) -> Result<(), String> {
        let address = Url::from_file_path(path).map_err(|()| "it has no address".to_owned())?;
        let method = if path.is_dir() { "ShowFolders" } else { "ShowItems" };
        let asked = async {
            let connection = Builder::session()?.method_timeout(ANSWER).build().await?;
            let arguments = (vec![address.as_str()], "");
            connection
                .call_method(Some(MANAGER), "/org/freedesktop/FileManager1", Some(MANAGER), method, &arguments)
                .await
        };
        asked.await.map(drop).map_err(|error: ashpd::zbus::Error| error.to_string())
    }

    /// Has a program open the folder. It stays for as long as a file manager does that it has become.
    fn open(program: &OsStr, path: &Path) -> Result<(), String> {
        let folder = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
        let mut command = Command::new(program);
        command.arg(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let status = command.status().map_err(|error| error.to_string())?;
        if status.success() { Ok(()) } else { Err(status.to_string()) }
    }

    #[cfg(test)]
    mod tests {
        use std::pin::Pin;

        use ashpd::zbus::MessageStream;
        use ashpd::zbus::export::futures_core::Stream as _;

        use super::*;

        #[test]
        #[ignore = "needs a session bus without a file manager; dbus-run-session -- cargo test --lib renderer::reveal -- --ignored"]
        fn the_desktops_file_manager_is_asked_to_show_the_file_or_the_folder() {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("a take.wav");
            std::fs::write(&file, "").unwrap();
            let server = pollster::block_on(async { Builder::session()?.build().await }).unwrap();
            let mut messages = MessageStream::from(&server);
            pollster::block_on(server.request_name(MANAGER)).unwrap();
            for (path, method) in [(file.as_path(), "ShowItems"), (folder.path(), "ShowFolders")] {
                let asked = path.to_path_buf();
                let asking = std::thread::spawn(move || pollster::block_on(over_the_bus(&asked)));
                loop {
                    let next = std::future::poll_fn(|context| Pin::new(&mut messages).poll_next(context));
                    let message = pollster::block_on(next).unwrap().unwrap();
                    let header = message.header();
                    if header.interface().is_none_or(|interface| interface != MANAGER) {
                        continue;
                    }
                    assert_eq!(header.member().unwrap().as_str(), method);
                    let (addresses, _): (Vec<String>, String) = message.body().deserialize().unwrap();
                    let address = Url::from_file_path(path).unwrap();
                    assert_eq!(addresses, [String::from(address)]);
                    pollster::block_on(server.reply(&header, &())).unwrap();
                    break;
                }
                asking.join().unwrap().unwrap();
            }
            drop((messages, server));
            assert!(pollster::block_on(over_the_bus(&file)).is_err(), "nobody is there any more");
        }

        #[test]
        fn where_the_desktop_has_no_file_manager_a_program_opens_the_folder() {
            use std::os::unix::fs::PermissionsExt as _;
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("a take.wav");
            std::fs::write(&file, "").unwrap();
            let program = folder.path().join("xdg-open");
            let script = |text: &str| {
                std::fs::write(&program, format!("#!/bin/sh\n{text}\n")).unwrap();
                std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
            };
            script("printf '%s' \"$1\" > \"$1/opened\"");
            first_of(|| Err("no bus".to_owned()), || open(program.as_os_str(), &file)).unwrap();
            let opened = std::fs::read_to_string(folder.path().join("opened")).unwrap();
            assert_eq!(Path::new(&opened), folder.path());
            first_of(|| Ok(()), || panic!("it is shown already")).unwrap();
            script("exit 3");
            let words = first_of(|| Err("no bus".to_owned()), || open(program.as_os_str(), &file)).unwrap_err();
            assert!(words.contains("no bus") && words.contains('3'), "{words}");
            assert!(open(OsStr::new("/nowhere/xdg-open"), &file).is_err());
        }
    }
}

#[cfg(target_os = "macos")]
mod system {
    use std::path::Path;
    use std::process::Command;

    pub(super) fn show(path: &Path) -> Result<(), String> {
        let mut command = Command::new("open");
        if !path.is_dir() {
            command.arg("-R");
        }
        let status = command.arg(path).status().map_err(|error| error.to_string())?;
        if status.success() { Ok(()) } else { Err(status.to_string()) }
    }
}

#[cfg(windows)]
mod system {
    use std::os::windows::process::CommandExt as _;
    use std::path::Path;
    use std::process::Command;

    pub(super) fn show(path: &Path) -> Result<(), String> {
        let mut command = Command::new("explorer");
        if path.is_dir() {
            command.arg(path);
        } else {
            // Its own way of reading a line: the comma joins, and the quotes stand around the path alone.
            command.raw_arg(format!("/select,\"{}\"", path.display()));
        }
        // It ends with 1 whatever it has done.
        command.status().map(drop).map_err(|error| error.to_string())
    }
}
