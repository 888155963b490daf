//! NVIDIA's GPUs through CUDA; the driver is asked first, because Burn panics where there is none.

#[cfg(feature = "cuda")]
pub use built::{compiler, count, memory_free, memory_in_use, name};
#[cfg(not(feature = "cuda"))]
pub use left_out::{compiler, count, memory_in_use, name};

#[cfg(feature = "cuda")]
mod built {
    use std::ffi::c_int;

    use cudarc::driver::{result, sys};

    /// Number of CUDA devices.
    ///
    /// # Errors
    /// Why there are none.
    pub fn count() -> Result<usize, String> {
        // SAFETY: looks for the driver's library under its own names and loads it; nothing is called.
        if !unsafe { sys::is_culib_present() } {
            return Err("there is no NVIDIA driver on this system".into());
        }
        let failed = |error| format!("the NVIDIA driver does not start ({error})");
        result::init().map_err(failed)?;
        result::device::get_count().map(|count| usize::try_from(count).unwrap_or(0)).map_err(failed)
    }

    /// Whether kernels can be compiled for a device: Burn writes them at run time and has NVRTC compile them.
    ///
    /// # Errors
    /// Why not.
    pub fn compiler() -> Result<(), String> {
        // SAFETY: looks for NVRTC's library under its own names and loads it; nothing is called.
        if unsafe { cudarc::nvrtc::sys::is_culib_present() } {
            return Ok(());
        }
        Err("NVRTC, the compiler of the CUDA toolkit, is not installed".into())
    }

    /// Bytes of its memory that are in use.
    pub fn memory_in_use(index: usize) -> Option<u64> {
        let (free, total) = cudarc::driver::CudaContext::new(index).and_then(|context| context.mem_get_info()).ok()?;
        Some((total - free) as u64)
    }

    /// Bytes of its memory that are free.
    pub fn memory_free(index: usize) -> Option<u64> {
        let (free, _) = cudarc::driver::CudaContext::new(index).and_then(|context| context.mem_get_info()).ok()?;
        Some(free as u64)
    }

    /// The model of a device that exists.
    ///
    /// # Errors
    /// What the driver says.
    pub fn name(index: usize) -> Result<String, String> {
        let number = c_int::try_from(index).unwrap_or(c_int::MAX);
        result::device::get(number).and_then(result::device::get_name).map_err(|error| error.to_string())
    }
}

/// A build without CUDA.
#[cfg(not(feature = "cuda"))]
mod left_out {
    /// Why there are no devices.
    ///
    /// # Errors
    /// Always.
    pub fn count() -> Result<usize, String> {
        Err("this program was built without CUDA (the feature `cuda`)".into())
    }

    /// Never asked: there are no devices.
    ///
    /// # Errors
    /// Always.
    pub fn compiler() -> Result<(), String> {
        count().map(drop)
    }

    /// Never asked: there are no devices.
    pub fn memory_in_use(_: usize) -> Option<u64> {
        None
    }

    /// Never asked: there are no devices.
    ///
    /// # Errors
    /// Always.
    pub fn name(_: usize) -> Result<String, String> {
        count().map(|_| String::new())
    }
}
