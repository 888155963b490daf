// What is in the golden states; included by `tests/states.rs`.

const INLINE: &[(&str, &str)] = &[
    ("length", "0.5"),
    ("takes", "2"),
    ("take", "2"),
    ("temperature", "0.8"),
    ("top_k", "40"),
    ("rng_seed", "11"),
    ("gain", "-6"),
    ("start", "1.25"),
    ("playback", "MIDI"),
    ("mode", "Continue"),
    ("key_tracking", "off"),
    ("controllers", "off"),
    ("key_limiter", "off"),
    ("level_match", "off"),
    ("at_end", "Stop"),
    ("tempo_mode", "Keep length"),
    ("arrangement", "off"),
];

const UNCONDITIONAL: &[(&str, &str)] = &[
    ("length", "0.5"),
    ("takes", "1"),
    ("rng_seed", "12"),
    ("mode", "From silence"),
    ("playback", "Timeline"),
    ("key_tracking", "off"),
    ("controllers", "off"),
    ("key_limiter", "off"),
    ("level_match", "off"),
    ("at_end", "Stop"),
    ("tempo_mode", "Keep length"),
    ("arrangement", "off"),
];

const NEW: &[(&str, &str)] = &[
    ("gain", "0"),
    ("mode", "Continue"),
    ("playback", "Timeline"),
    ("top_k", "off"),
    ("key_tracking", "off"),
    ("controllers", "off"),
    ("key_limiter", "off"),
    ("level_match", "off"),
    ("at_end", "Stop"),
    ("tempo_mode", "Keep length"),
    ("arrangement", "off"),
];

const SEVERAL: &[(&str, &str)] = &[
    ("length", "0.5"),
    ("takes", "2"),
    ("take", "2"),
    ("wildness", "75"),
    ("temperature", "0.8"),
    ("top_k", "40"),
    ("rng_seed", "13"),
    ("rng_lock", "on"),
    ("gain", "-6"),
    ("root_key", "48"),
    ("key_tracking", "on"),
    ("controllers", "on"),
    ("key_limiter", "on"),
    ("level_match", "off"),
    ("at_end", "Stop"),
    ("tempo_mode", "Keep length"),
    ("arrangement", "off"),
];

const SONG: &[(&str, &str)] = &[
    ("length", "0.5"),
    ("takes", "2"),
    ("take", "2"),
    ("rng_seed", "17"),
    ("level_match", "off"),
    ("at_end", "Loop from seam"),
    ("end_fade", "3.5"),
    ("loop_crossfade", "12 ms"),
    ("loop_bars", "off"),
    ("tempo_mode", "Stay in bars"),
    ("arrangement", "off"),
];

const PLACED: &[(&str, &str)] = &[
    ("length", "0.5"),
    ("take", "2"),
    ("at_end", "Loop from seam"),
    ("tempo_mode", "Stay in bars"),
    ("arrangement", "on"),
    ("arrangement_crossfade", "120 ms"),
];

const CONTINUED: Option<&str> = Some("b3bba3b24adb52b0918fbde6a3f23c185515e08fa43efac8e5ba08dd527c52f5");
const BRIDGE: Option<&str> = Some("9e4e7d34f2e9fddd04e197168fe3eb3e406e701d2869c1d698b160bef3b48091");
const IN_BARS: Option<&str> = Some("696ff0c1ac0ddaa3f81c672d69bdfd2587780e59fefdcf715be979e9187db53c");
const FROM_NOTHING: Option<&str> = Some("7191a4cf6d05555e296447131f8c31524a1cde0526e25b7149984cf73be8d8fd");

const GOLDEN: &[Golden] = &[
    Golden { file: "1a/empty.state", values: NEW, sound: None },
    Golden { file: "1a/inline.state", values: INLINE, sound: CONTINUED },
    Golden { file: "1a/chosen.state", values: INLINE, sound: CONTINUED },
    Golden { file: "1b/empty.state", values: NEW, sound: None },
    Golden { file: "1b/inline.state", values: INLINE, sound: CONTINUED },
    Golden { file: "1b/chosen.state", values: INLINE, sound: CONTINUED },
    Golden { file: "2/empty.state", values: NEW, sound: None },
    Golden { file: "2/inline.state", values: INLINE, sound: CONTINUED },
    Golden { file: "2/chosen.state", values: INLINE, sound: CONTINUED },
    Golden { file: "3/takes.state", values: SEVERAL, sound: BRIDGE },
    Golden { file: "4/song.state", values: SONG, sound: IN_BARS },
    Golden { file: "5/arrangement.state", values: PLACED, sound: IN_BARS },
];

const STORED: &[Golden] = &[
    Golden { file: "1a/stored.state", values: UNCONDITIONAL, sound: FROM_NOTHING },
    Golden { file: "1b/stored.state", values: UNCONDITIONAL, sound: FROM_NOTHING },
    Golden { file: "2/stored.state", values: UNCONDITIONAL, sound: FROM_NOTHING },
];
