//! The seam between a clip and its continuation.
