// What lies beside the module is what hosts take it for: `moduleinfo.json` says of the classes what the factory says, by the SDK's
// own reader, and every preset loads through the SDK's own loader.

#include "shipped.h"

#include "public.sdk/source/common/memorystream.h"
#include "public.sdk/source/vst/moduleinfo/moduleinfoparser.h"
#include "public.sdk/source/vst/vstpresetfile.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

using namespace Steinberg;
using namespace Steinberg::Vst;

namespace {

std::string contents(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

bool same(const char* what, const std::string& said, const std::string& is) {
    if (said == is)
        return true;
    std::printf("  error: moduleinfo.json says %s \"%s\", the factory \"%s\"\n", what, said.c_str(), is.c_str());
    return false;
}

} // namespace

bool module_info_agrees(const std::string& module, const VST3::Hosting::PluginFactory& factory) {
    auto text = contents(std::filesystem::path(module) / "Contents" / "Resources" / "moduleinfo.json");
    auto info = ModuleInfoLib::parseJson(text, &std::cout);
    if (!info) {
        std::printf("  error: moduleinfo.json cannot be read\n");
        return false;
    }
    auto classes = factory.classInfos();
    if (info->classes.size() != classes.size()) {
        std::printf("  error: moduleinfo.json has another number of classes\n");
        return false;
    }
    bool good = same("vendor", info->factoryInfo.vendor, factory.info().vendor());
    for (size_t index = 0; index < classes.size(); ++index) {
        const auto& said = info->classes[index];
        const auto& is = classes[index];
        good &= same("class", said.cid, is.ID().toString());
        good &= same("category", said.category, is.category());
        good &= same("name", said.name, is.name());
        good &= same("vendor", said.vendor, is.vendor());
        good &= same("version", said.version, is.version());
        good &= same("SDK version", said.sdkVersion, is.sdkVersion());
        good &= same("flags", std::to_string(said.flags), std::to_string(is.classFlags()));
        good &= same("cardinality", std::to_string(said.cardinality), std::to_string(is.cardinality()));
        std::string categories;
        for (const auto& category : said.subCategories)
            categories += (categories.empty() ? "" : "|") + category;
        good &= same("sub-categories", categories, is.subCategoriesString());
    }
    return good;
}

int presets_that_load(const std::string& module, const FUID& id, IComponent* component, IEditController* controller) {
    int loaded = 0;
    auto folder = std::filesystem::path(module).parent_path() / "Continuo.vstpresets";
    if (!std::filesystem::is_directory(folder))
        return 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        auto bytes = contents(entry.path());
        MemoryStream stream(bytes.data(), static_cast<TSize>(bytes.size()));
        if (!PresetFile::loadPreset(&stream, id, component, controller)) {
            std::printf("  error: %s does not load\n", entry.path().c_str());
            return -1;
        }
        ++loaded;
    }
    return loaded;
}
