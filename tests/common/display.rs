//! An X server without a screen, and windows on it as a host has them. Linux and BSD only.

#![allow(dead_code, clippy::missing_errors_doc)]

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};
use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{
    ChangeWindowAttributesAux, ConnectionExt as _, CreateWindowAux, ImageFormat, WindowClass,
};
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;

/// A server of our own, which ends with this.
pub struct Display {
    server: Child,
    connection: RustConnection,
    root: u32,
    windows: Cell<i16>,
}

impl Display {
    /// Starts Xvfb on a free number and names it to this process. To be called before the process has threads that read the environment.
    pub fn start() -> Result<Self> {
        let mut server = Command::new("Xvfb");
        server.args(["-displayfd", "1", "-screen", "0", "1920x1080x24", "-nolisten", "tcp"]);
        let mut server = server
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("Xvfb cannot be started: install it (Debian: xvfb)")?;
        let mut number = String::new();
        BufReader::new(server.stdout.take().context("Xvfb has no output")?).read_line(&mut number)?;
        let name = format!(":{}", number.trim());
        // SAFETY: as the caller promises, nobody reads the environment meanwhile.
        unsafe { std::env::set_var("DISPLAY", &name) };
        let (connection, screen) = RustConnection::connect(Some(&name)).context("Xvfb does not answer")?;
        let root = connection.setup().roots[screen].root;
        Ok(Self { server, connection, root, windows: Cell::new(0) })
    }

    /// A window of a host's, shown. It lies beside the one before: what is covered is not drawn.
    pub fn window(&self) -> Result<u32> {
        let id = self.connection.generate_id()?;
        let aux = CreateWindowAux::new().override_redirect(1);
        let (parent, class) = (self.root, WindowClass::INPUT_OUTPUT);
        let left = 960 * (self.windows.get() % 2);
        self.windows.set(self.windows.get().wrapping_add(1));
        self.connection.create_window(0, id, parent, left, 0, 950, 700, 0, class, 0, &aux)?.check()?;
        self.connection.map_window(id)?.check()?;
        Ok(id)
    }

    /// How many colours there are in the upper left part of what is seen in a window.
    pub fn colours(&self, window: u32) -> Result<usize> {
        let image = self.connection.get_image(ImageFormat::Z_PIXMAP, window, 0, 0, 600, 400, u32::MAX)?.reply()?;
        Ok(image.data.chunks_exact(4).map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect::<BTreeSet<_>>().len())
    }

    /// Takes what is in a window's windows from the screen, until they are drawn again.
    pub fn erase(&self, window: u32) -> Result<()> {
        for child in self.connection.query_tree(window)?.reply()?.children {
            let aux = ChangeWindowAttributesAux::new().background_pixel(0);
            self.connection.change_window_attributes(child, &aux)?.check()?;
            self.connection.clear_area(false, child, 0, 0, 0, 0)?.check()?;
        }
        Ok(())
    }

    /// Takes a window away, with all that is in it.
    pub fn close(&self, window: u32) -> Result<()> {
        self.connection.destroy_window(window)?.check()?;
        self.connection.sync()?;
        Ok(())
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        // A server that has ended by itself needs no end.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
