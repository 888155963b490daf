// Loads a VST3 module and runs the SDK's test suite on every audio effect class in it, in the order in which Steinberg's
// command-line validator does: general tests, then processing with 32- and 64-bit samples. Three classes of the suite are
// left out as they are in that program: InvalidStateTransitionTest, RepeatIdenticalStateTransitionTest and
// BusInvalidIndexTest ask for more than the interface's documents do.

#include "shipped.h"

#include "public.sdk/source/vst/hosting/hostclasses.h"
#include "public.sdk/source/vst/hosting/module.h"
#include "public.sdk/source/vst/hosting/plugprovider.h"
#include "public.sdk/source/vst/testsuite/vsttestsuite.h"
#include "public.sdk/source/vst/utility/stringconvert.h"
#include "pluginterfaces/base/funknownimpl.h"
#include "pluginterfaces/vst/vstspeaker.h"

#include <cstdio>
#include <exception>
#include <iostream>
#include <memory>
#include <string>

// The SDK leaves this one to the program that collects results.
namespace Steinberg {
DEF_CLASS_IID(ITestResult)
}

using namespace Steinberg;
using namespace Steinberg::Vst;

namespace {

struct Report : ITestResult {
    void PLUGIN_API addErrorMessage(const tchar* text) override { print("  error: ", text); }
    void PLUGIN_API addMessage(const tchar* text) override { print("  ", text); }
    tresult PLUGIN_API queryInterface(const TUID iid, void** object) override {
        QUERY_INTERFACE(iid, object, FUnknown::iid, ITestResult)
        QUERY_INTERFACE(iid, object, ITestResult::iid, ITestResult)
        *object = nullptr;
        return kNoInterface;
    }
    // Lives on the stack of `validate`.
    uint32 PLUGIN_API addRef() override { return 1; }
    uint32 PLUGIN_API release() override { return 1; }

private:
    static void print(const char* before, const tchar* text) {
        std::printf("%s%s\n", before, StringConvert::convert(text).c_str());
    }
};

struct Tally {
    int passed = 0;
    int failed = 0;
};

// Takes over the reference that `new` gave.
void run(const std::string& group, ITest* raw, Report& report, Tally& tally) {
    auto test = owned(raw);
    auto* named = static_cast<TestBase*>(test.get());
    const std::string name = group + ": " + named->getName();
    std::printf("[%s]\n", name.c_str());
    std::fflush(stdout);
    bool good = test->setup();
    if (good) {
        good = test->run(&report);
        good = test->teardown() && good;
    }
    std::printf("[%s %s]\n", name.c_str(), good ? "Succeeded" : "Failed");
    std::fflush(stdout);
    ++(good ? tally.passed : tally.failed);
}

void general(ITestPlugProvider* plugin, Report& report, Tally& tally) {
    const char* group = "General";
    run(group, new EditorClassesTest(plugin), report, tally);
    run(group, new ScanBussesTest(plugin), report, tally);
    run(group, new ScanParametersTest(plugin), report, tally);
    run(group, new MidiMappingTest(plugin), report, tally);
    run(group, new MidiLearnTest(plugin), report, tally);
    run(group, new UnitInfoTest(plugin), report, tally);
    run(group, new ProgramInfoTest(plugin), report, tally);
    run(group, new TerminateInitializeTest(plugin), report, tally);
    run(group, new UnitStructureTest(plugin), report, tally);
    run(group, new ValidStateTransitionTest(plugin, kSample32), report, tally);
    run(group, new ValidStateTransitionTest(plugin, kSample64), report, tally);
    run(group, new BusConsistencyTest(plugin), report, tally);
    run(group, new BusActivationTest(plugin), report, tally);
    run(group, new CheckAudioBusArrangementTest(plugin), report, tally);
    run(group, new SideChainArrangementTest(plugin), report, tally);
    run(group, new SuspendResumeTest(plugin, kSample32), report, tally);
    run(group, new NoteExpressionTest(plugin), report, tally);
    run(group, new KeyswitchTest(plugin), report, tally);
    run(group, new ProcessContextRequirementsTest(plugin), report, tally);
    run(group, new ParameterFunctionNameTest(plugin), report, tally);
}

void processing(ITestPlugProvider* plugin, ProcessSampleSize size, Report& report, Tally& tally) {
    const char* group = size == kSample32 ? "32 bit" : "64 bit";
    run(group, new ProcessFormatTest(plugin, size), report, tally);
    run(group, new ProcessTest(plugin, size), report, tally);
    run(group, new ProcessThreadTest(plugin, size), report, tally);
    run(group, new ProcessInputOverwritingTest(plugin, size), report, tally);
    run(group, new ProcessTailTest(plugin, size), report, tally);
    run(group, new SilenceFlagsTest(plugin, size), report, tally);
    run(group, new SilenceProcessingTest(plugin, size), report, tally);
    run(group, new FlushParamTest(plugin, size), report, tally);
    run(group, new FlushParamTest2(plugin, size), report, tally);
    run(group, new FlushParamTest3(plugin, size), report, tally);
    run(group, new VariableBlockSizeTest(plugin, size), report, tally);
    run(group, new BypassPersistenceTest(plugin, size), report, tally);
    const SpeakerArrangement arrangements[] = {SpeakerArr::kMono, SpeakerArr::kStereo, SpeakerArr::kStereoSurround,
                                               SpeakerArr::k51, SpeakerArr::k71CineFullFront};
    for (auto in : arrangements)
        for (auto out : arrangements)
            run(group, new SpeakerArrangementTest(plugin, size, in, out), report, tally);
    // (frames between points, parameters (-1: all), sample-accurate)
    run(group, new AutomationTest(plugin, size, 100, 1, false), report, tally);
    run(group, new AutomationTest(plugin, size, 100, 1, true), report, tally);
    run(group, new AutomationTest(plugin, size, 100, 2, false), report, tally);
    run(group, new AutomationTest(plugin, size, 50, 16, true), report, tally);
    run(group, new AutomationTest(plugin, size, 30, 1, true), report, tally);
}

int validate_module(const char* path) {
    std::string error;
    auto module = VST3::Hosting::Module::create(path, error);
    if (!module) {
        std::printf("cannot load %s: %s\n", path, error.c_str());
        return 1;
    }
    auto host = owned(new HostApplication());
    PluginContextFactory::instance().setPluginContext(host);
    TestingPluginContext::set(host);
    PlugProvider::setErrorStream(&std::cout);
    auto factory = module->getFactory();
    factory.setHostContext(host);

    Report report;
    Tally tally;
    int classes = 0;
    std::printf("[Shipped: moduleinfo.json]\n");
    ++(module_info_agrees(path, factory) ? tally.passed : tally.failed);
    for (auto& info : factory.classInfos()) {
        if (info.category() != kVstAudioEffectClass)
            continue;
        ++classes;
        std::printf("* %s (%s), %s\n", info.name().c_str(), info.subCategoriesString().c_str(), info.sdkVersion().c_str());
        auto plugin = owned(new PlugProvider(factory, info, true));
        if (!plugin->initialize()) {
            std::printf("cannot initialise %s\n", info.name().c_str());
            ++tally.failed;
            continue;
        }
        std::printf("[Shipped: presets]\n");
        auto component = owned(plugin->getComponent());
        auto controller = owned(plugin->getController());
        const int presets = presets_that_load(path, FUID::fromTUID(info.ID().data()), component, controller);
        std::printf("%d presets load\n", presets);
        ++(presets >= 0 ? tally.passed : tally.failed);
        general(plugin, report, tally);
        processing(plugin, kSample32, report, tally);
        processing(plugin, kSample64, report, tally);
    }
    if (classes == 0) {
        std::printf("%s holds no audio effect class\n", path);
        return 1;
    }
    std::printf("Result: %d tests passed, %d tests failed\n", tally.passed, tally.failed);
    std::fflush(stdout);
    PluginContextFactory::instance().setPluginContext(nullptr);
    TestingPluginContext::set(nullptr);
    return tally.failed == 0 ? 0 : 1;
}

} // namespace

extern "C" int validate(const char* path) {
    try {
        return validate_module(path);
    } catch (const std::exception& error) {
        std::printf("the validator stopped: %s\n", error.what());
    } catch (...) {
        std::printf("the validator stopped\n");
    }
    return 1;
}
