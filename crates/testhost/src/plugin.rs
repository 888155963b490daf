//! The main thread's side: an instance with its parameters, its state and its activation.

use std::ffi::{CStr, CString};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use clack_extensions::audio_ports::{AudioPortInfoBuffer, PluginAudioPorts};
use clack_extensions::params::{ParamInfoBuffer, ParamInfoFlags, PluginParams};
use clack_extensions::render::{PluginRender, RenderMode};
use clack_extensions::state::PluginState;
use clack_host::entry::EntryDescriptor;
use clack_host::events::event_types::ParamValueEvent;
use clack_host::prelude::*;

use crate::callbacks::{AnyThread, MainThread, Studio};
use crate::deck::{Deck, Setup};
use crate::parameter::{Parameter, number_of};

/// How often the main thread looks after the plugin while the audio thread runs.
const LOOK: Duration = Duration::from_millis(2);

/// A loaded instance.
pub struct Plugin {
    pub(crate) instance: PluginInstance<Studio>,
    callback: Arc<AtomicBool>,
    changes: Arc<AtomicUsize>,
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
        Self::of(load_entry(path)?).with_context(|| format!("cannot use {}", path.display()))
    }

    /// Makes an instance of a plugin that is linked into this very program.
    ///
    /// # Safety
    /// `entry` must be the CLAP entry of a plugin whose functions keep to the CLAP headers.
    pub unsafe fn linked(entry: &'static EntryDescriptor) -> Result<Self> {
        // SAFETY: as the caller promises; the plugin is told a path that no file of its own can have.
        Self::of(unsafe { PluginEntry::load_from_raw(entry, c"/") }.map_err(|error| anyhow!("{error}"))?)
    }

    fn of(entry: PluginEntry) -> Result<Self> {
        let factory = entry.get_plugin_factory().context("it holds no CLAP plugins")?;
        let descriptor = factory.plugin_descriptors().next().context("the CLAP factory is empty")?;
        let id = descriptor.id().context("the plugin has no id")?;
        let shared = AnyThread::default();
        let callback = Arc::clone(&shared.callback);
        let main_thread = MainThread::default();
        let changes = Arc::clone(&main_thread.changes);
        let instance = PluginInstance::<Studio>::new(move |()| shared, |_| main_thread, &entry, id, &host_info()?)
            .map_err(|error| anyhow!("{error}"))
            .context("the plugin refuses to be instantiated")?;
        let mut plugin = Self {
            instance,
            callback,
            changes,
            parameters: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            _entry: entry,
        };
        plugin.parameters = plugin.read_parameters()?;
        plugin.inputs = plugin.read_ports(true)?;
        plugin.outputs = plugin.read_ports(false)?;
        Ok(plugin)
    }

    /// Whether the file `path` makes an instance of `id`.
    pub fn knows(path: &Path, id: &CStr) -> Result<bool> {
        let entry = load_entry(path)?;
        let main_thread = MainThread::default();
        let made = PluginInstance::<Studio>::new(|()| AnyThread::default(), |_| main_thread, &entry, id, &host_info()?);
        Ok(made.is_ok())
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

    /// The event that sets the parameter `id` to what `text` says.
    pub fn value(&mut self, id: &str, text: &str) -> Result<(ClapId, f64)> {
        let parameter = self.parameter(id)?.id;
        let value = self.parse(parameter, text)?;
        Ok((parameter, value.with_context(|| format!("the plugin does not understand {text:?} for `{id}`"))?))
    }

    /// What the plugin makes of `text`; `None` if nothing.
    pub fn parse(&mut self, parameter: ClapId, text: &str) -> Result<Option<f64>> {
        let params = self.extension::<PluginParams>("parameters")?;
        Ok(params.text_to_value(&self.instance.plugin_handle(), parameter, &CString::new(text)?))
    }

    /// How the plugin writes a value.
    pub fn text(&mut self, parameter: ClapId, value: f64) -> Result<String> {
        let params = self.extension::<PluginParams>("parameters")?;
        let mut buffer = [0; 256];
        let text = params.value_to_text(&self.instance.plugin_handle(), parameter, value, &mut buffer);
        let text = text.map_err(|_| anyhow!("the plugin has no text for {value} of parameter {parameter}"))?;
        Ok(String::from_utf8_lossy(text).into_owned())
    }

    /// The values of all parameters, in the plugin's order.
    pub fn values(&mut self) -> Result<Vec<f64>> {
        let ids: Vec<ClapId> = self.parameters.iter().map(|parameter| parameter.id).collect();
        ids.into_iter().map(|id| self.current(id)).collect()
    }

    /// Sets parameters while the plugin is not active.
    pub fn flush(&mut self, values: &[(ClapId, f64)]) -> Result<()> {
        let params = self.extension::<PluginParams>("parameters")?;
        let mut events = EventBuffer::new();
        for (parameter, value) in values {
            events.push(&ParamValueEvent::new(0, *parameter, Pckn::match_all(), *value));
        }
        let mut replies = EventBuffer::new();
        let mut handle = self.instance.inactive_plugin_handle().context("the plugin is active")?;
        params.flush(&mut handle, &events.as_input(), &mut replies.as_output());
        Ok(())
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
        let mut bytes = Vec::new();
        if !self.save_to(&mut bytes)? {
            bail!("the plugin cannot save its state");
        }
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

    /// How often the plugin has said that its project has changed, after the calls on the main thread that it waits for.
    pub fn changes(&mut self) -> usize {
        self.answer();
        self.changes.load(Ordering::Relaxed)
    }

    pub(crate) fn answer(&mut self) {
        if self.callback.swap(false, Ordering::AcqRel) {
            self.instance.call_on_main_thread_callback();
        }
    }

    /// Activates the plugin and runs `work` on an audio thread, while this, the main thread, answers the plugin's
    /// callbacks and hands `watch` the number of frames that the transport has played.
    pub fn play<T: Send>(
        &mut self,
        setup: Setup,
        mut watch: impl FnMut(u64),
        work: impl FnOnce(&mut Deck) -> Result<T> + Send,
    ) -> Result<T> {
        let stopped = self.activate(setup)?;
        let played = Arc::new(AtomicU64::new(0));
        let (inputs, outputs) = (&self.inputs, &self.outputs);
        let (instance, callback) = (&mut self.instance, &self.callback);
        let (stopped, result) = thread::scope(|scope| {
            let counter = Arc::clone(&played);
            let audio = scope.spawn(move || -> Result<_> {
                let mut deck = Deck::start(stopped, setup, inputs, outputs, counter)?;
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

    /// Activates the plugin for a caller that runs blocks and does the main thread's work on one thread in turn.
    pub fn start(&mut self, setup: Setup) -> Result<Deck> {
        let stopped = self.activate(setup)?;
        Deck::start(stopped, setup, &self.inputs, &self.outputs, Arc::default())
    }

    /// Ends what [`Self::start`] began.
    pub fn stop(&mut self, deck: Deck) {
        self.instance.deactivate(deck.stop());
    }

    fn activate(&mut self, setup: Setup) -> Result<StoppedPluginAudioProcessor<Studio>> {
        let configuration = PluginAudioConfiguration {
            sample_rate: f64::from(setup.sample_rate_hz),
            min_frames_count: 1,
            max_frames_count: setup.block,
        };
        self.instance
            .activate(|_, _| (), configuration)
            .map_err(|error| anyhow!("{error}"))
            .context("the plugin refuses to be activated")
    }

    pub(crate) fn extension<
        E: clack_host::extensions::Extension<ExtensionSide = clack_host::extensions::PluginExtensionSide>,
    >(
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
                    default: info.default_value,
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

fn load_entry(path: &Path) -> Result<PluginEntry> {
    // SAFETY: the file is a plugin that this workspace built; loading it runs its own initialisers only.
    unsafe { PluginEntry::load(path) }
        .map_err(|error| anyhow!("{error}"))
        .with_context(|| format!("cannot load {}", path.display()))
}

fn host_info() -> Result<HostInfo> {
    Ok(HostInfo::new("Continuo's test host", "Continuo", "", env!("CARGO_PKG_VERSION"))?)
}
