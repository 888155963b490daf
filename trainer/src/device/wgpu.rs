//! GPUs of every maker through Burn's `wgpu` backend: Vulkan on Linux and Windows, `DirectX` 12 on Windows, Metal on macOS.
//!
//! Adapters are listed and opened here, so that one that is missing or does not start is an error, and so that what a device
//! reports later, on whatever thread, is kept for who uses it ([`super::guard`]).

#[cfg(feature = "gpu")]
pub use built::{adapters, memory_in_use, open, opened};
#[cfg(not(feature = "gpu"))]
pub use left_out::{adapters, memory_in_use, open};

/// Through what GPUs are reached on this system, in words.
pub const APIS: &str = if cfg!(target_os = "macos") {
    "Metal"
} else if cfg!(windows) {
    "Vulkan or DirectX 12"
} else {
    "Vulkan"
};

#[cfg(feature = "gpu")]
mod built {
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex, PoisonError};

    use burn::backend::wgpu::{RuntimeOptions, WgpuDevice, WgpuSetup, init_device};
    use burn::tensor::try_read_sync;
    use wgpu::{Backend, Backends, DeviceDescriptor, DeviceType, Features, Instance, InstanceDescriptor};

    use super::APIS;
    use crate::device::adapter::{Adapter, Kind, numbered};
    use crate::device::guard::{Failure, caught, report};

    /// What was asked of the system. A card that Vulkan reaches is not taken through `DirectX`.
    const BACKENDS: Backends =
        if cfg!(target_os = "macos") { Backends::METAL } else { Backends::VULKAN.union(Backends::DX12) };

    /// A device that was opened, as Burn and as wgpu know it.
    #[derive(Clone)]
    struct Opened {
        device: WgpuDevice,
        raw: wgpu::Device,
    }

    /// A device is opened once in a process, by its adapter's number: its runtime lives as long as the process.
    static OPENED: Mutex<BTreeMap<usize, Opened>> = Mutex::new(BTreeMap::new());

    /// The adapters in the order of their numbers.
    ///
    /// # Errors
    /// If a driver fails while it is asked.
    pub fn adapters() -> Result<Vec<Adapter>, String> {
        Ok(listed()?.1.into_iter().map(|(adapter, _)| adapter).collect())
    }

    fn listed() -> Result<(Instance, Vec<(Adapter, wgpu::Adapter)>), String> {
        let found = caught(|| {
            let instance = Instance::new(InstanceDescriptor {
                backends: BACKENDS,
                ..InstanceDescriptor::new_without_display_handle()
            });
            let adapters = try_read_sync(instance.enumerate_adapters(BACKENDS)).unwrap_or_default();
            (instance, adapters)
        });
        let (instance, mut adapters) =
            found.map_err(|failure| format!("{APIS} does not start ({})", words(failure)))?;
        // Vulkan before others, so that it is kept where a card is reached in two ways.
        adapters.sort_by_key(|adapter| adapter.get_info().backend != Backend::Vulkan);
        let described = adapters.into_iter().map(|adapter| (describe(&adapter.get_info()), adapter)).collect();
        Ok((instance, numbered(described)))
    }

    fn describe(info: &wgpu::AdapterInfo) -> Adapter {
        let kind = match info.device_type {
            DeviceType::DiscreteGpu => Kind::Discrete,
            DeviceType::IntegratedGpu => Kind::Integrated,
            DeviceType::VirtualGpu => Kind::Virtual,
            DeviceType::Cpu => Kind::Software,
            DeviceType::Other => Kind::Other,
        };
        let api = match info.backend {
            Backend::Vulkan => "Vulkan",
            Backend::Metal => "Metal",
            Backend::Dx12 => "DirectX 12",
            _ => "another interface",
        };
        Adapter { name: info.name.clone(), api, kind, id: (info.vendor, info.device) }
    }

    fn words(failure: Failure) -> String {
        match failure {
            Failure::Memory(said) | Failure::Other(said) => said,
        }
    }

    /// Opens the adapter of a number that [`adapters`] gave; one that is open already stays as it is.
    ///
    /// # Errors
    /// Why it does not start.
    pub fn open(index: usize) -> Result<(), String> {
        let mut all = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
        if all.contains_key(&index) {
            return Ok(());
        }
        let (instance, adapters) = listed()?;
        let (_, adapter) = adapters.into_iter().nth(index).ok_or("it is gone")?;
        let started = caught(|| start(instance, adapter)).unwrap_or_else(|failure| Err(words(failure)));
        all.insert(index, started?);
        Ok(())
    }

    fn start(instance: Instance, adapter: wgpu::Adapter) -> Result<Opened, String> {
        // Everything that the adapter can do, so that kernels may use it, but for what is experimental in wgpu.
        let left_out = Features::MAPPABLE_PRIMARY_BUFFERS.union(Features::all_experimental_mask());
        let wanted = DeviceDescriptor {
            required_features: adapter.features().difference(left_out),
            required_limits: adapter.limits(),
            // CubeCL pools memory itself.
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            ..DeviceDescriptor::default()
        };
        let opened = try_read_sync(adapter.request_device(&wanted)).ok_or("it does not answer")?;
        let (device, queue) = opened.map_err(|error| error.to_string())?;
        // wgpu's own answer to an error that nobody waits for is to panic on some thread.
        device.on_uncaptured_error(Arc::new(|error: wgpu::Error| report(Failure::of(&error.to_string()))));
        device.set_device_lost_callback(|reason, message| {
            // A device that is closed is "lost" as well.
            if reason != wgpu::DeviceLostReason::Destroyed {
                report(Failure::Other(format!("the device was lost: {message}")));
            }
        });
        let backend = adapter.get_info().backend;
        let setup = WgpuSetup { instance, adapter, device: device.clone(), queue, backend };
        Ok(Opened { device: init_device(setup, RuntimeOptions::default()), raw: device })
    }

    fn find(index: usize) -> Option<Opened> {
        OPENED.lock().unwrap_or_else(PoisonError::into_inner).get(&index).cloned()
    }

    /// An adapter that was opened, as Burn knows it.
    pub fn opened(index: usize) -> Option<WgpuDevice> {
        find(index).map(|opened| opened.device)
    }

    /// Bytes of an opened device's memory that this process has reserved, where its driver tells.
    pub fn memory_in_use(index: usize) -> Option<u64> {
        find(index)?.raw.generate_allocator_report().map(|report| report.total_reserved_bytes)
    }
}

/// A build without it.
#[cfg(not(feature = "gpu"))]
mod left_out {
    use crate::device::adapter::Adapter;

    /// Why there are no adapters.
    ///
    /// # Errors
    /// Always.
    pub fn adapters() -> Result<Vec<Adapter>, String> {
        Err(format!("this program was built without {} (the feature `gpu`)", super::APIS))
    }

    /// Never asked: there are no adapters.
    ///
    /// # Errors
    /// Always.
    pub fn open(_: usize) -> Result<(), String> {
        adapters().map(drop)
    }

    /// Never asked: there are no adapters.
    pub fn memory_in_use(_: usize) -> Option<u64> {
        None
    }
}
