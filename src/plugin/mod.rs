//! The instrument as a host knows it.

mod arrangement;
mod audio;
mod block;
pub mod clap;
mod course;
#[cfg(test)]
#[cfg(all(unix, not(target_os = "macos")))]
mod dragged;
mod keys;
mod midi;
mod patches;
mod state;
pub mod vst3;
mod wait;

use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::sync::{Arc, Weak};

use nice_plug::prelude::*;

use crate::editor::{self, ContinuoEditor};
use crate::params::ContinuoParams;
use crate::renderer::Renderer;
use crate::session::Concern;

use audio::Audio;

/// The host's rate is not one that audio has.
#[derive(Debug, thiserror::Error)]
#[error(
    "the host asks for {asked} Hz; Continuo plays at {low} to {high} Hz: choose another sample rate in the host",
    low = possible.start(),
    high = possible.end()
)]
struct RateRefused {
    asked: f32,
    possible: RangeInclusive<f32>,
}

/// Rates at which a host may run the plugin.
fn host_rates_hz(api: PluginApi) -> RangeInclusive<f32> {
    match api {
        // Steinberg's tests fail a plugin that refuses 1.23 MHz. A take is refused in words there.
        PluginApi::Vst3 => 1_000.0..=2_000_000.0,
        _ => 1_000.0..=768_000.0,
    }
}

/// One instance.
pub struct Continuo {
    params: Arc<ContinuoParams>,
    audio: Audio,
    /// Keeps the process's renderer alive as long as an instance is.
    renderer: Arc<Renderer>,
}

thread_local! {
    /// The parameters of the instance that this thread has made last: the framework's wrappers hide those that they make.
    static NEWEST: RefCell<Weak<ContinuoParams>> = const { RefCell::new(Weak::new()) };
}

/// The parameters of the instance that this thread has just made, if it is still there.
pub fn newest_params() -> Option<Arc<ContinuoParams>> {
    NEWEST.with_borrow(Weak::upgrade)
}

impl Default for Continuo {
    fn default() -> Self {
        let params = Arc::new(ContinuoParams::default());
        params.session.attach(&params);
        NEWEST.set(Arc::downgrade(&params));
        let renderer = Renderer::acquire();
        renderer.register(&params.session);
        let audio = Audio::new(Arc::clone(&params));
        Self { params, audio, renderer }
    }
}

impl Continuo {
    /// The instance's parameters, and through them its session.
    pub fn parameters(&self) -> &Arc<ContinuoParams> {
        &self.params
    }
}

impl Drop for Continuo {
    fn drop(&mut self) {
        self.renderer.unregister(&self.params.session);
    }
}

impl Plugin for Continuo {
    const NAME: &'static str = "Continuo";
    const VENDOR: &'static str = "Continuo";
    const URL: &'static str = "";
    const EMAIL: &'static str = "";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");

    const AUDIO_IO_LAYOUTS: &'static [AudioIOLayout] = &[AudioIOLayout {
        main_input_channels: None,
        main_output_channels: NonZeroU32::new(2),
        aux_input_ports: &[new_nonzero_u32(2)],
        aux_output_ports: &[],
        names: PortNames {
            layout: Some("Stereo with sidechain"),
            main_input: None,
            main_output: Some("Output"),
            aux_inputs: &["Sidechain"],
            aux_outputs: &[],
        },
    }];

    const MIDI_INPUT: MidiConfig = MidiConfig::MidiCCs;

    // A bounce with automation is the same at every block size.
    const SAMPLE_ACCURATE_AUTOMATION: bool = true;

    type Editor = ContinuoEditor;
    type SysExMessage = ();
    type BackgroundTask = ();

    fn filter_state(state: &mut PluginState) {
        state::complete(state);
    }

    fn params(&self) -> Arc<dyn Params> {
        Arc::clone(&self.params) as Arc<dyn Params>
    }

    fn editor(&mut self, _executor: AsyncExecutor<Self>) -> Option<Self::Editor> {
        editor::create(&self.params)
    }

    fn activate(
        &mut self,
        _layout: &AudioIOLayout,
        config: &BufferConfig,
        context: &mut impl ActivateContext<Self>,
    ) -> bool {
        // Rates that no converter has are refused before anything is sized by them. (NaN is in no range either.)
        let (asked, possible) = (config.sample_rate, host_rates_hz(context.plugin_api()));
        if !possible.contains(&asked) {
            self.params.session.complain_of(Concern::Settings, &RateRefused { asked, possible });
            return false;
        }
        // A take is laid out at the host's rate here, on the host's main thread, before the first block asks for it.
        self.params.session.set_host_rate(config.sample_rate);
        self.audio.activate(config, context.plugin_api());
        true
    }

    fn reset(&mut self) {
        self.audio.reset();
    }

    fn process(
        &mut self,
        buffer: &mut Buffer,
        aux: &mut AuxiliaryBuffers,
        context: &mut impl ProcessContext<Self>,
    ) -> ProcessStatus {
        self.audio.process(buffer, aux, context)
    }
}

impl ClapPlugin for Continuo {
    const CLAP_ID: &'static str = "org.continuo.continuo";
    const CLAP_DESCRIPTION: Option<&'static str> = Some("Carries on playing from where a clip stops");
    const CLAP_MANUAL_URL: Option<&'static str> = None;
    const CLAP_SUPPORT_URL: Option<&'static str> = None;
    const CLAP_FEATURES: &'static [ClapFeature] =
        &[ClapFeature::Instrument, ClapFeature::Sampler, ClapFeature::Synthesizer, ClapFeature::Stereo];
}

impl Vst3Plugin for Continuo {
    const VST3_CLASS_ID: [u8; 16] = *b"ContinuoInstrum1";
    const VST3_SUBCATEGORIES: &'static [Vst3SubCategory] =
        &[Vst3SubCategory::Instrument, Vst3SubCategory::Sampler, Vst3SubCategory::Stereo];
}
