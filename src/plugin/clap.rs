//! The CLAP entry, with what the framework leaves to chance: states, hosts without windows, and where a block begins.
//!
//! The framework's wrapper does everything but three things. It reads a state whole or not at all (see [`super::state`]); so
//! the state extension is the one below. It takes for granted that a host with a place for an editor also has the
//! extension `clap.gui`, and aborts the host if not; such a host is given a stand-in ([`stand_in`]). It cuts blocks into
//! parts without telling ([`super::block`]). And it tells no host that something has changed ([`changes`]).
//! Of presets it knows nothing: the factory that tells hosts of them is [`discovery`], what loads one is [`preset_load`].

mod changes;
mod discovery;
mod preset_load;
mod stand_in;

use std::ffi::{CStr, c_char, c_void};
use std::io::{Read, Write};
use std::ptr::null;
use std::sync::{Arc, OnceLock};

use clap_sys::entry::clap_plugin_entry;
use clap_sys::events::{CLAP_CORE_EVENT_SPACE_ID, CLAP_EVENT_TRANSPORT, clap_input_events};
use clap_sys::ext::gui::CLAP_EXT_GUI;
use clap_sys::ext::preset_load::{CLAP_EXT_PRESET_LOAD, CLAP_EXT_PRESET_LOAD_COMPAT, clap_plugin_preset_load};
use clap_sys::ext::state::{CLAP_EXT_STATE, clap_plugin_state};
use clap_sys::factory::plugin_factory::{CLAP_PLUGIN_FACTORY_ID, clap_plugin_factory};
use clap_sys::factory::preset_discovery::{
    CLAP_PRESET_DISCOVERY_FACTORY_ID, CLAP_PRESET_DISCOVERY_FACTORY_ID_COMPAT, clap_preset_discovery_location_kind,
};
use clap_sys::host::clap_host;
use clap_sys::plugin::{clap_plugin, clap_plugin_descriptor};
use clap_sys::process::{CLAP_PROCESS_ERROR, clap_process, clap_process_status};
use clap_sys::stream::{clap_istream, clap_ostream};
use clap_sys::version::CLAP_VERSION;
use nice_plug::wrapper::clap::{PluginDescriptor, Wrapper};

use super::{Continuo, block, newest_params, state};
use crate::params::ContinuoParams;
use changes::Changes;
use stand_in::StandIn;

/// The library's CLAP entry.
#[unsafe(no_mangle)]
#[used]
#[allow(non_upper_case_globals, reason = "the name is CLAP's")]
pub static clap_entry: clap_plugin_entry = clap_plugin_entry {
    clap_version: CLAP_VERSION,
    init: Some(init_library),
    deinit: Some(leave_library),
    get_factory: Some(factory),
};

unsafe extern "C" fn init_library(_path: *const c_char) -> bool {
    nice_plug::wrapper::setup_logger::<Continuo>();
    true
}

unsafe extern "C" fn leave_library() {}

unsafe extern "C" fn factory(id: *const c_char) -> *const c_void {
    static FACTORY: clap_plugin_factory = clap_plugin_factory {
        get_plugin_count: Some(plugin_count),
        get_plugin_descriptor: Some(plugin_descriptor),
        create_plugin: Some(create_plugin),
    };
    if id.is_null() {
        return null();
    }
    // SAFETY: ids of factories are strings.
    let id = unsafe { CStr::from_ptr(id) };
    if id == CLAP_PLUGIN_FACTORY_ID {
        (&raw const FACTORY).cast()
    } else if [CLAP_PRESET_DISCOVERY_FACTORY_ID, CLAP_PRESET_DISCOVERY_FACTORY_ID_COMPAT].contains(&id) {
        (&raw const discovery::FACTORY).cast()
    } else {
        null()
    }
}

fn descriptor() -> &'static PluginDescriptor {
    static DESCRIPTOR: OnceLock<PluginDescriptor> = OnceLock::new();
    DESCRIPTOR.get_or_init(PluginDescriptor::for_plugin::<Continuo>)
}

unsafe extern "C" fn plugin_count(_factory: *const clap_plugin_factory) -> u32 {
    1
}

unsafe extern "C" fn plugin_descriptor(
    _factory: *const clap_plugin_factory,
    index: u32,
) -> *const clap_plugin_descriptor {
    if index == 0 { descriptor().clap_plugin_descriptor() } else { null() }
}

unsafe extern "C" fn create_plugin(
    _factory: *const clap_plugin_factory,
    host: *const clap_host,
    id: *const c_char,
) -> *const clap_plugin {
    // SAFETY: ids of plugins are strings.
    if host.is_null() || id.is_null() || unsafe { CStr::from_ptr(id) } != descriptor().clap_id() {
        return null();
    }
    // SAFETY: a host outlives its plugins.
    unsafe { Instance::new(host) }.map_or(null(), |instance| Box::into_raw(instance).cast::<clap_plugin>().cast_const())
}

/// An instance as the host knows it.
#[repr(C)]
struct Instance {
    /// First, so that a pointer to it is a pointer to the whole. It is the framework's but for the functions below.
    plugin: clap_plugin,
    framework: clap_plugin,
    params: Arc<ContinuoParams>,
    host: *const clap_host,
    changes: Changes,
    /// Stands in for a host that has no `clap.gui`. Goes after the framework's wrapper, which points to it.
    stand_in: Option<Box<StandIn>>,
}

impl Instance {
    /// # Safety
    /// `host` must outlive the instance.
    unsafe fn new(host: *const clap_host) -> Option<Box<Self>> {
        // SAFETY: as the caller promises.
        let (framework, params) = unsafe { wrapped(host)? };
        let plugin = clap_plugin {
            init: Some(init),
            destroy: Some(destroy),
            get_extension: Some(get_extension),
            process: Some(process),
            on_main_thread: Some(on_main_thread),
            // A host may hold on to it from before `init`, when the wrapper may still change.
            desc: descriptor().clap_plugin_descriptor(),
            ..framework
        };
        Some(Box::new(Self { plugin, framework, params, host, changes: Changes::default(), stand_in: None }))
    }

    /// Puts a wrapper in place of the present one that knows the host through a stand-in.
    ///
    /// # Safety
    /// The host is in the middle of `init`: it has used nothing of the instance yet.
    unsafe fn stand_in_for_host(&mut self) {
        // SAFETY: a host lives longer than its plugins, and its structure is complete.
        let stand_in = unsafe { StandIn::new(self.host) };
        // SAFETY: the box stays where it is and is dropped after the wrapper.
        let Some((framework, params)) = (unsafe { wrapped(&raw const stand_in.host) }) else { return };
        // SAFETY: the wrapper before it was never used.
        unsafe { self.let_go() };
        self.plugin.plugin_data = framework.plugin_data;
        self.framework = framework;
        self.params = params;
        self.stand_in = Some(stand_in);
    }

    /// Drops the framework's wrapper.
    ///
    /// # Safety
    /// Nobody may use the wrapper any more.
    unsafe fn let_go(&self) {
        if let Some(destroy) = self.framework.destroy {
            // SAFETY: the structure names the wrapper.
            unsafe { destroy(&raw const self.framework) };
        }
    }

    fn wrapper(&self) -> &Wrapper<Continuo> {
        // SAFETY: the framework's structure names its wrapper, which lives as long as this instance.
        unsafe { &*self.framework.plugin_data.cast::<Wrapper<Continuo>>() }
    }
}

/// A wrapper of the framework's, as its structure names it, and the parameters of the instance that it holds. It is freed by
/// that structure's `destroy`.
///
/// # Safety
/// `host` must outlive the wrapper.
unsafe fn wrapped(host: *const clap_host) -> Option<(clap_plugin, Arc<ContinuoParams>)> {
    // SAFETY: as the caller promises.
    let wrapper = unsafe { Wrapper::<Continuo>::new(host) };
    let params = newest_params()?;
    // SAFETY: nobody else has the wrapper yet.
    let plugin = unsafe { *wrapper.clap_plugin.as_ptr() };
    // The structure's `destroy` takes this reference back.
    let _ = Arc::into_raw(wrapper);
    Some((plugin, params))
}

/// The instance of a pointer that the host was given.
///
/// # Safety
/// `plugin` is null or came from [`create_plugin`] and was not destroyed.
unsafe fn instance<'a>(plugin: *const clap_plugin) -> Option<&'a Instance> {
    // SAFETY: `create_plugin` gives out pointers to an `Instance`'s first field.
    unsafe { plugin.cast::<Instance>().as_ref() }
}

unsafe extern "C" fn init(plugin: *const clap_plugin) -> bool {
    // SAFETY: as in `instance`; while a host is in `init`, nobody else looks at the instance.
    let Some(instance) = (unsafe { plugin.cast_mut().cast::<Instance>().as_mut() }) else { return false };
    // SAFETY: the host is there, and from `init` on it may be asked for its extensions.
    unsafe {
        let has_gui =
            (*instance.host).get_extension.is_some_and(|get| !get(instance.host, CLAP_EXT_GUI.as_ptr()).is_null());
        if !has_gui {
            instance.stand_in_for_host();
        }
        let ready = instance.framework.init.is_some_and(|init| init(plugin));
        if ready {
            instance.changes.begin(&instance.params, instance.host);
        }
        ready
    }
}

unsafe extern "C" fn destroy(plugin: *const clap_plugin) {
    if plugin.is_null() {
        return;
    }
    // SAFETY: `create_plugin` made the instance with a box, and a host destroys it once and uses it no more.
    unsafe {
        let instance = Box::from_raw(plugin.cast_mut().cast::<Instance>());
        Changes::end(&instance.params);
        instance.let_go();
    }
}

unsafe extern "C" fn process(plugin: *const clap_plugin, data: *const clap_process) -> clap_process_status {
    // SAFETY: as in `instance`; what a host gives lives through the call.
    unsafe {
        let (Some(instance), Some(given)) = (instance(plugin), data.as_ref()) else { return CLAP_PROCESS_ERROR };
        let Some(process) = instance.framework.process else { return CLAP_PROCESS_ERROR };
        block::within(moves(given.in_events), || process(plugin, data))
    }
}

/// The frames at which a host moves the transport within a block.
///
/// # Safety
/// `events` is null or a host's list of events, which it keeps for as long as the iterator is used.
unsafe fn moves<'a>(events: *const clap_input_events) -> impl Iterator<Item = u32> + 'a {
    // SAFETY: as the caller promises; of a list that has no functions nothing is asked.
    let list = unsafe { events.as_ref() }.and_then(|list| Some((list, list.size?, list.get?)));
    list.into_iter().flat_map(|(list, size, get)| {
        // SAFETY: as above; a host gives events for the places that it has.
        let events = (0..unsafe { size(list) }).filter_map(move |at| unsafe { get(list, at).as_ref() });
        events
            .filter(|event| event.space_id == CLAP_CORE_EVENT_SPACE_ID && event.type_ == CLAP_EVENT_TRANSPORT)
            .map(|event| event.time)
    })
}

unsafe extern "C" fn on_main_thread(plugin: *const clap_plugin) {
    // SAFETY: as in `instance`; a host calls this on its main thread, and lives.
    unsafe {
        let Some(instance) = instance(plugin) else { return };
        instance.changes.tell(&instance.params, instance.host);
        if let Some(on_main_thread) = instance.framework.on_main_thread {
            on_main_thread(plugin);
        }
    }
}

unsafe extern "C" fn get_extension(plugin: *const clap_plugin, id: *const c_char) -> *const c_void {
    static STATE: clap_plugin_state = clap_plugin_state { save: Some(save), load: Some(load) };
    static PRESET_LOAD: clap_plugin_preset_load = clap_plugin_preset_load { from_location: Some(load_preset) };
    // SAFETY: as in `instance`; ids are strings.
    unsafe {
        let Some(instance) = instance(plugin) else { return null() };
        if !id.is_null() {
            let id = CStr::from_ptr(id);
            if id == CLAP_EXT_STATE {
                return (&raw const STATE).cast();
            }
            if [CLAP_EXT_PRESET_LOAD, CLAP_EXT_PRESET_LOAD_COMPAT].contains(&id) {
                return (&raw const PRESET_LOAD).cast();
            }
        }
        instance.framework.get_extension.map_or(null(), |get| get(plugin, id))
    }
}

unsafe extern "C" fn save(plugin: *const clap_plugin, stream: *const clap_ostream) -> bool {
    // SAFETY: as in `instance`; a host's stream lives through the call.
    let (Some(instance), Some(stream)) = (unsafe { (instance(plugin), stream.as_ref()) }) else { return false };
    let written = match state::write(&instance.params) {
        Ok(written) => written,
        Err(error) => {
            instance.params.session.complain(&error);
            return false;
        }
    };
    let outcome = state::stream::write_counted(Stream(stream), &written);
    outcome.inspect_err(|error| tracing::error!("the state could not be saved: {error}")).is_ok()
}

unsafe extern "C" fn load(plugin: *const clap_plugin, stream: *const clap_istream) -> bool {
    // SAFETY: as in `instance`; a host's stream lives through the call.
    let (Some(instance), Some(stream)) = (unsafe { (instance(plugin), stream.as_ref()) }) else { return false };
    let mut opened = state::read(state::stream::read_counted(Stream(stream)));
    let placed = instance.wrapper().set_state_inner(&mut opened.state);
    opened.settle(&instance.params);
    instance.changes.forget(&instance.params);
    placed && opened.known
}

unsafe extern "C" fn load_preset(
    plugin: *const clap_plugin,
    kind: clap_preset_discovery_location_kind,
    location: *const c_char,
    load_key: *const c_char,
) -> bool {
    // SAFETY: as in `instance`.
    let Some(instance) = (unsafe { instance(plugin) }) else { return false };
    // SAFETY: a host gives null or a place as a string.
    let loaded = unsafe { preset_load::load(kind, location, &instance.params) };
    let outcome = loaded.map(|mut state| instance.wrapper().set_state_inner(&mut state));
    // It was the host that changed something.
    instance.changes.forget(&instance.params);
    let good = matches!(outcome, Ok(true));
    // SAFETY: the host is there, and this is its main thread.
    unsafe { preset_load::report(instance.host, kind, location, load_key, outcome.map(drop)) };
    good
}

/// A host's stream.
struct Stream<'a, T>(&'a T);

impl Read for Stream<'_, clap_istream> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let Some(read) = self.0.read else { return state::stream::moved(-1, 0) };
        // SAFETY: the buffer has the room that is announced.
        let count = unsafe { read(self.0, buffer.as_mut_ptr().cast(), buffer.len() as u64) };
        state::stream::moved(count, buffer.len())
    }
}

impl Write for Stream<'_, clap_ostream> {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        let Some(write) = self.0.write else { return state::stream::moved(-1, 0) };
        // SAFETY: the buffer holds as many bytes as are announced.
        let count = unsafe { write(self.0, buffer.as_ptr().cast(), buffer.len() as u64) };
        state::stream::moved(count, buffer.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
