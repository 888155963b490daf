//! Frame-by-frame kernels over packed weights.
