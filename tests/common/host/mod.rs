//! A headless CLAP host over clack-host: loads a plugin file as a producer's host does, and knows nothing else of it.

mod deck;

use std::ffi::CString;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use clack_extensions::audio_ports::{AudioPortInfoBuffer, PluginAudioPorts};
use clack_extensions::gui::{GuiApiType, GuiConfiguration, PluginGui};
use clack_extensions::params::{
    HostParams, HostParamsImplMainThread, HostParamsImplShared, ParamClearFlags, ParamInfoBuffer, ParamInfoFlags,
    ParamRescanFlags, PluginParams,
};
use clack_extensions::render::{PluginRender, RenderMode};
use clack_extensions::state::{HostState, HostStateImpl, PluginState};
use clack_host::prelude::*;

pub use deck::Deck;

/// How often the main thread looks after the plugin while the audio thread runs.
const LOOK: Duration = Duration::from_millis(2);

/// Our side of the callbacks.
#[derive(Debug)]
struct Studio;

#[derive(Debug)]
struct StudioShared {
    callback: Arc<AtomicBool>,
}

impl SharedHandler<'_> for StudioShared {
    fn request_restart(&self) {}
    fn request_process(&self) {}
    fn request_callback(&self) {
        self.callback.store(true, Ordering::Release);
    }
}

impl HostParamsImplShared for StudioShared {
    // Blocks follow each other without a pause, so the next one takes what the plugin wants to flush.
    fn request_flush(&self) {}
}

struct StudioMain;

impl MainThreadHandler<'_> for StudioMain {}

impl HostParamsImplMainThread for StudioMain {
    fn rescan(&self, _: ParamRescanFlags) {}
    fn clear(&self, _: ClapId, _: ParamClearFlags) {}
}

impl HostStateImpl for StudioMain {
    fn mark_dirty(&self) {}
}

impl HostHandlers for Studio {
    type Shared<'a> = StudioShared;
    type MainThread<'a> = StudioMain;
    type AudioProcessor<'a> = ();

    fn declare_extensions(builder: &mut HostExtensions<Self>, _: &StudioShared) {
        builder.register::<HostParams>().register::<HostState>();
    }
}

/// A parameter as the plugin declares it.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// The number that events carry.
    pub id: ClapId,
    /// The name that a person sees.
    pub name: String,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// Whether it takes whole values only.
    pub stepped: bool,
    /// Whether a host may change it at all.
    pub writable: bool,
}

/// Sample rate and largest block of an activation.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// Frames per second.
    pub sample_rate_hz: u32,
    /// Frames in the largest block.
    pub block: u32,
}

/// A loaded instance.
pub struct Plugin {
    instance: PluginInstance<Studio>,
    callback: Arc<AtomicBool>,
    parameters: Vec<Parameter>,
    /// Channels of each input and output port.
    inputs: Vec<usize>,
    outputs: Vec<usize>,
    // Last, so that the library outlives the instance.
    _entry: PluginEntry,
}

impl Plugin {
    /// Loads the only plugin in the file `path` and makes an instance.
    pub fn load(path: &Path) -> Result<Self> {
        // SAFETY: the file is the plugin of this very build; loading it runs its own initialisers only.
        let entry = unsafe { PluginEntry::load(path) }
            .map_err(|error| anyhow!("{error}"))
            .with_context(|| format!("cannot load {}", path.display()))?;
        let factory =
            entry.get_plugin_factory().with_context(|| format!("{} holds no CLAP plugins", path.display()))?;
        let descriptor = factory.plugin_descriptors().next().context("the CLAP factory is empty")?;
        let id = descriptor.id().context("the plugin has no id")?;
        let host = HostInfo::new("Continuo's tests", "Continuo", "", env!("CARGO_PKG_VERSION"))?;
        let callback = Arc::new(AtomicBool::new(false));
        let shared = StudioShared { callback: Arc::clone(&callback) };
        let instance = PluginInstance::<Studio>::new(move |()| shared, |_| StudioMain, &entry, id, &host)
            .map_err(|error| anyhow!("{error}"))
            .context("the plugin refuses to be instantiated")?;
        let mut plugin =
            Self { instance, callback, parameters: Vec::new(), inputs: Vec::new(), outputs: Vec::new(), _entry: entry };
        plugin.parameters = plugin.read_parameters()?;
        plugin.inputs = plugin.read_ports(true)?;
        plugin.outputs = plugin.read_ports(false)?;
        Ok(plugin)
    }

    /// All parameters, in the plugin's order.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// The parameter whose stable id is `id`.
    pub fn parameter(&self, id: &str) -> Result<&Parameter> {
        let number = number_of(id);
        self.parameters
            .iter()
            .find(|parameter| parameter.id.get() == number)
            .with_context(|| format!("the plugin has no parameter `{id}`"))
    }

    /// The value that the plugin makes of `text` for the parameter `id`, checked by having it written out again.
    pub fn value(&mut self, id: &str, text: &str) -> Result<(ClapId, f64)> {
        let parameter = self.parameter(id)?.id;
        let params = self.extension::<PluginParams>("parameters")?;
        let value = params
            .text_to_value(&self.instance.plugin_handle(), parameter, &CString::new(text)?)
            .with_context(|| format!("the plugin does not understand {text:?} for `{id}`"))?;
        Ok((parameter, value))
    }

    /// What the plugin holds for a parameter now.
    pub fn current(&mut self, parameter: ClapId) -> Result<f64> {
        let params = self.extension::<PluginParams>("parameters")?;
        params
            .get_value(&self.instance.plugin_handle(), parameter)
            .with_context(|| format!("the plugin has no value for parameter {parameter}"))
    }

    /// Tells the plugin that there is no hurry.
    pub fn set_offline(&mut self) -> Result<()> {
        let render = self.extension::<PluginRender>("render mode")?;
        render.set(&self.instance.plugin_handle(), RenderMode::Offline).context("the plugin refuses offline mode")
    }

    /// The plugin's state, as a session would keep it.
    pub fn save(&mut self) -> Result<Vec<u8>> {
        let state = self.extension::<PluginState>("state")?;
        let mut bytes = Vec::new();
        state
            .save(&self.instance.plugin_handle(), &mut bytes)
            .map_err(|_| anyhow!("the plugin cannot save its state"))?;
        Ok(bytes)
    }

    /// Has the plugin save its state into a stream; `false` if it says that it could not.
    pub fn save_to(&mut self, mut stream: impl Write) -> Result<bool> {
        let state = self.extension::<PluginState>("state")?;
        Ok(state.save(&self.instance.plugin_handle(), &mut stream).is_ok())
    }

    /// Gives the plugin a state back; `false` if it refuses it.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<bool> {
        self.restore_from(bytes)
    }

    /// Gives the plugin a state out of a stream; `false` if it refuses it.
    pub fn restore_from(&mut self, mut stream: impl Read) -> Result<bool> {
        let state = self.extension::<PluginState>("state")?;
        Ok(state.load(&self.instance.plugin_handle(), &mut stream).is_ok())
    }

    /// Has the plugin make its editor for a window of the host's, and takes it away again. Says whether there was one.
    pub fn open_editor(&mut self) -> Result<bool> {
        let gui = self.extension::<PluginGui>("editor")?;
        let api_type = GuiApiType::default_for_current_platform().context("no windows on this system")?;
        let handle = self.instance.plugin_handle();
        let created = gui.create(&handle, GuiConfiguration { api_type, is_floating: false }).is_ok();
        if created {
            gui.destroy(&handle);
        }
        Ok(created)
    }

    /// Activates the plugin and runs `work` on an audio thread, while this, the main thread, answers the plugin's
    /// callbacks and hands `watch` the number of frames that the transport has played.
    pub fn play<T: Send>(
        &mut self,
        setup: Setup,
        mut watch: impl FnMut(u64),
        work: impl FnOnce(&mut Deck) -> Result<T> + Send,
    ) -> Result<T> {
        let configuration = PluginAudioConfiguration {
            sample_rate: f64::from(setup.sample_rate_hz),
            min_frames_count: 1,
            max_frames_count: setup.block,
        };
        let stopped = self
            .instance
            .activate(|_, _| (), configuration)
            .map_err(|error| anyhow!("{error}"))
            .context("the plugin refuses to be activated")?;
        let played = Arc::new(AtomicU64::new(0));
        let (inputs, outputs) = (&self.inputs, &self.outputs);
        let (instance, callback) = (&mut self.instance, &self.callback);
        let (stopped, result) = thread::scope(|scope| {
            let counter = Arc::clone(&played);
            let audio = scope.spawn(move || -> Result<_> {
                let started = stopped.start_processing().map_err(|error| anyhow!("{error}"))?;
                let mut deck = Deck::new(started, setup, inputs, outputs, counter);
                let result = work(&mut deck);
                Ok((deck.stop(), result))
            });
            while !audio.is_finished() {
                if callback.swap(false, Ordering::AcqRel) {
                    instance.call_on_main_thread_callback();
                }
                watch(played.load(Ordering::Relaxed));
                thread::sleep(LOOK);
            }
            match audio.join() {
                Ok(finished) => finished,
                Err(_) => bail!("the audio thread panicked"),
            }
        })?;
        self.instance.deactivate(stopped);
        result
    }

    fn extension<E: clack_host::extensions::Extension<ExtensionSide = clack_host::extensions::PluginExtensionSide>>(
        &mut self,
        what: &str,
    ) -> Result<E> {
        self.instance
            .plugin_handle()
            .get_extension::<E>()
            .with_context(|| format!("the plugin has no {what} extension"))
    }

    fn read_parameters(&mut self) -> Result<Vec<Parameter>> {
        let params = self.extension::<PluginParams>("parameters")?;
        let handle = self.instance.plugin_handle();
        let mut buffer = ParamInfoBuffer::new();
        (0..params.count(&handle))
            .map(|index| {
                let info = params.get_info(&handle, index, &mut buffer);
                let info = info.with_context(|| format!("the plugin does not describe parameter {index}"))?;
                Ok(Parameter {
                    id: info.id,
                    name: String::from_utf8_lossy(info.name).into_owned(),
                    min: info.min_value,
                    max: info.max_value,
                    stepped: info.flags.contains(ParamInfoFlags::IS_STEPPED),
                    writable: !info.flags.contains(ParamInfoFlags::IS_READONLY),
                })
            })
            .collect()
    }

    fn read_ports(&mut self, input: bool) -> Result<Vec<usize>> {
        let ports = self.extension::<PluginAudioPorts>("audio ports")?;
        let handle = self.instance.plugin_handle();
        let mut buffer = AudioPortInfoBuffer::new();
        (0..ports.count(&handle, input))
            .map(|index| {
                let info = ports.get(&handle, index, input, &mut buffer);
                info.map(|info| info.channel_count as usize)
                    .with_context(|| format!("audio port {index} is not described"))
            })
            .collect()
    }
}

/// The number under which the plugin framework announces the parameter with a textual id: a rolling hash whose top bit
/// is left free, since VST3 hosts keep that half for themselves.
pub fn number_of(id: &str) -> u32 {
    id.bytes().fold(0_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte))) & !(1 << 31)
}
