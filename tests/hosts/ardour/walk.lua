-- Makes a session in Ardour with Continuo on a track, renders two variations in it and saves it. Run by walk.py.
AudioEngine:set_backend("None (Dummy)", "", "")
local session = create_session(os.getenv("WALK_SESSION"), "walk", 48000)
assert(session, "Ardour makes no session")
local info = ARDOUR.LuaAPI.new_plugin_info("Continuo", ARDOUR.PluginType.VST3)
assert(info and not info:isnil(), "Ardour's scan has not found Continuo")
local midi = ARDOUR.ChanCount(ARDOUR.DataType("midi"), 1)
local audio = ARDOUR.ChanCount(ARDOUR.DataType("audio"), 2)
local track
for made in session:new_midi_track(midi, audio, true, info, nil, nil, 1, "Continuo",
    ARDOUR.PresentationInfo.max_order, ARDOUR.TrackMode.Normal, true):iter() do track = made end
local processor = track:nth_plugin(0)
assert(processor:display_name() == "Continuo", "Continuo is not on the track")
local plugin = processor:to_insert():plugin(0)

local places = {}
for place = 0, plugin:parameter_count() - 1 do places[plugin:parameter_label(place)] = place end
local function set(name, value)
  assert(places[name], "there is no parameter " .. name)
  assert(ARDOUR.LuaAPI.set_processor_param(processor, places[name], value), name)
  -- The engine takes it over with one of its next blocks.
  ARDOUR.LuaAPI.usleep(200000)
end

set("Length", 4)
set("RNG seed", 7)
set("Variations", 2)
set("Render", 1)
ARDOUR.LuaAPI.usleep(tonumber(os.getenv("WALK_SECONDS")) * 1000000)
set("Render", 0)
session:save_state("")
close_session()
