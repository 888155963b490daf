//! The plugin's editor inside a window of the host's.

use anyhow::{Context, Result, anyhow};
use clack_extensions::gui::{GuiApiType, GuiConfiguration, PluginGui, Window};
use clack_host::prelude::*;

use crate::plugin::Plugin;

impl Plugin {
    /// Has the plugin make its editor for a window of the host's, and takes it away again. Says whether there was one.
    pub fn open_editor(&mut self) -> Result<bool> {
        let gui = self.extension::<PluginGui>("editor")?;
        let api_type = GuiApiType::default_for_current_platform().context("no windows on this system")?;
        let handle = self.handle();
        let created = gui.create(&handle, GuiConfiguration { api_type, is_floating: false }).is_ok();
        if created {
            gui.destroy(&handle);
        }
        Ok(created)
    }

    /// Opens the editor in the X11 window with this number, which must outlive it, and gives its width and height in pixels.
    pub fn show_editor(&mut self, parent: u32) -> Result<(u32, u32)> {
        let gui = self.extension::<PluginGui>("editor")?;
        let handle = self.handle();
        let refused = |what: &str| anyhow!("the plugin refuses to {what} its editor");
        gui.create(&handle, GuiConfiguration { api_type: GuiApiType::X11, is_floating: false })
            .map_err(|_| refused("create"))?;
        let size = gui.get_size(&handle).context("the editor has no size")?;
        // SAFETY: the caller keeps the window for as long as the editor is in it.
        unsafe { gui.set_parent(&handle, Window::from_x11_handle(parent.into())) }.map_err(|_| refused("embed"))?;
        gui.show(&handle).map_err(|_| refused("show"))?;
        Ok((size.width, size.height))
    }

    /// Closes the editor that [`Self::show_editor`] opened.
    pub fn close_editor(&mut self) -> Result<()> {
        let gui = self.extension::<PluginGui>("editor")?;
        gui.destroy(&self.handle());
        Ok(())
    }

    /// Makes the calls on the main thread that the plugin waits for, and takes what it has set itself.
    pub fn idle(&mut self) {
        self.answer();
    }

    fn handle(&mut self) -> PluginMainThreadHandle<'_> {
        self.instance.plugin_handle()
    }
}
