//! How the editor looks: one palette and one set of distances, used by name everywhere.
//!
//! Two hues carry meaning and appear nowhere else: amber is the seed clip, teal is what the model plays (and the button
//! that makes it play). Everything else is a cool grey.

use egui::{Color32, CornerRadius, FontFamily, FontId, Margin, Shadow, Stroke, TextStyle, Theme, vec2};

/// Behind everything.
pub const BACKGROUND: Color32 = Color32::from_rgb(0x15, 0x17, 0x1C);
/// Header, rows of controls.
pub const SURFACE: Color32 = Color32::from_rgb(0x1B, 0x1E, 0x25);
/// Sunken: waveform, value bars, text fields.
pub const FIELD: Color32 = Color32::from_rgb(0x10, 0x12, 0x16);
/// Raised: buttons, the chosen segment.
pub const RAISED: Color32 = Color32::from_rgb(0x2A, 0x2F, 0x39);
/// Raised, under the pointer.
pub const RAISED_HOVER: Color32 = Color32::from_rgb(0x35, 0x3B, 0x47);
/// Hairlines and outlines.
pub const LINE: Color32 = Color32::from_rgb(0x2E, 0x33, 0x3D);
/// What is read.
pub const TEXT: Color32 = Color32::from_rgb(0xE8, 0xEA, 0xEE);
/// Captions.
pub const MUTED: Color32 = Color32::from_rgb(0xA0, 0xA8, 0xB5);
/// What may be overlooked.
pub const FAINT: Color32 = Color32::from_rgb(0x76, 0x7F, 0x8E);
/// The seed clip.
pub const SEED: Color32 = Color32::from_rgb(0xE9, 0xB0, 0x5A);
/// The continuation, and what makes one.
pub const CONTINUATION: Color32 = Color32::from_rgb(0x57, 0xCF, 0xB4);
/// Something went wrong.
pub const ERROR: Color32 = Color32::from_rgb(0xF2, 0x7C, 0x7C);
/// Text on [`CONTINUATION`].
pub const ON_ACCENT: Color32 = Color32::from_rgb(0x0B, 0x1F, 0x1B);

/// Distance between neighbours in a row.
pub const GAP: f32 = 8.0;
/// Distance between groups, and from the window's edge.
pub const MARGIN: f32 = 16.0;
/// Height of everything that can be operated.
pub const ROW: f32 = 28.0;
/// Corners of everything that can be operated.
pub const RADIUS: CornerRadius = CornerRadius::same(6);

/// Smallest window in which nothing overlaps, in logical pixels.
pub const MIN_SIZE: (f32, f32) = (780.0, 512.0);

/// The size of captions.
pub const CAPTION: f32 = 11.5;
/// The size of what is read.
pub const BODY: f32 = 14.0;

/// The caption font.
pub fn caption() -> FontId {
    FontId::proportional(CAPTION)
}

/// The body font.
pub fn body() -> FontId {
    FontId::proportional(BODY)
}

/// Gives `ctx` the look. Called once per window.
pub fn apply(ctx: &egui::Context) {
    ctx.set_theme(Theme::Dark);
    ctx.style_mut_of(Theme::Dark, |style| {
        style.text_styles = [
            (TextStyle::Small, CAPTION),
            (TextStyle::Body, BODY),
            (TextStyle::Button, BODY),
            (TextStyle::Heading, 18.0),
        ]
        .into_iter()
        .map(|(text_style, size)| (text_style, FontId::new(size, FontFamily::Proportional)))
        .chain([(TextStyle::Monospace, FontId::new(13.0, FontFamily::Monospace))])
        .collect();

        let spacing = &mut style.spacing;
        spacing.item_spacing = vec2(GAP, GAP);
        spacing.button_padding = vec2(12.0, 4.0);
        spacing.interact_size = vec2(ROW, ROW);
        spacing.menu_margin = Margin::same(10);
        spacing.tooltip_width = 320.0;
        // A list that goes on shows it before the pointer is over it.
        spacing.scroll.dormant_handle_opacity = 0.4;
        style.interaction.tooltip_delay = 0.5;
        // Labels are captions here, not documents: dragging across them is meant for what lies beneath.
        style.interaction.selectable_labels = false;

        let visuals = &mut style.visuals;
        visuals.panel_fill = BACKGROUND;
        visuals.window_fill = SURFACE;
        visuals.window_stroke = Stroke::new(1.0, LINE);
        visuals.window_corner_radius = CornerRadius::same(8);
        visuals.menu_corner_radius = CornerRadius::same(8);
        visuals.popup_shadow = Shadow { offset: [0, 6], blur: 18, spread: 0, color: Color32::from_black_alpha(140) };
        visuals.extreme_bg_color = FIELD;
        visuals.text_edit_bg_color = Some(FIELD);
        visuals.weak_text_color = Some(MUTED);
        visuals.selection.bg_fill = CONTINUATION.gamma_multiply(0.35);
        visuals.selection.stroke = Stroke::new(1.0, CONTINUATION);
        visuals.warn_fg_color = SEED;
        visuals.error_fg_color = ERROR;
        visuals.hyperlink_color = CONTINUATION;

        let widgets = &mut visuals.widgets;
        widgets.noninteractive.bg_stroke = Stroke::new(1.0, LINE);
        widgets.noninteractive.fg_stroke = Stroke::new(1.0, TEXT);
        for (state, fill, text) in [
            (&mut widgets.inactive, RAISED, TEXT),
            (&mut widgets.hovered, RAISED_HOVER, TEXT),
            (&mut widgets.active, RAISED_HOVER, TEXT),
            (&mut widgets.open, RAISED_HOVER, TEXT),
        ] {
            state.bg_fill = fill;
            state.weak_bg_fill = fill;
            state.bg_stroke = Stroke::NONE;
            state.fg_stroke = Stroke::new(1.0, text);
            state.corner_radius = RADIUS;
            state.expansion = 0.0;
        }
        // What has the keyboard is drawn as `active`.
        widgets.active.bg_stroke = Stroke::new(1.0, TEXT);
        widgets.noninteractive.corner_radius = RADIUS;
    });
}
