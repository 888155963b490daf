// What lies beside the module, read with the SDK's own readers.
#pragma once

#include "public.sdk/source/vst/hosting/module.h"
#include "pluginterfaces/vst/ivstcomponent.h"
#include "pluginterfaces/vst/ivsteditcontroller.h"

#include <string>

// Whether the bundle's moduleinfo.json says of each class what the factory says.
bool module_info_agrees(const std::string& module, const VST3::Hosting::PluginFactory& factory);

// How many presets of the folder beside the bundle load; -1 if one does not.
int presets_that_load(const std::string& module, const Steinberg::FUID& id, Steinberg::Vst::IComponent* component,
                      Steinberg::Vst::IEditController* controller);
