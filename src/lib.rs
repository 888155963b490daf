//! Continuo, the plugin.
