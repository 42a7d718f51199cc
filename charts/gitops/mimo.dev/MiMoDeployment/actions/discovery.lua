-- Which actions make sense now. All of them write annotations that Git need not know, never a field of the specification.
local annotations = obj.metadata.annotations or {}
local suspended = annotations["mimo.dev/suspended"] == "true"
local rolledBack = annotations["mimo.dev/rollback"] ~= nil and annotations["mimo.dev/rollback"] ~= ""

local status = obj.status or {}
local current = nil
if status.plan ~= nil then
  current = status.plan.revision
end
local good = status.lastGoodRevision
local hasOther = current ~= nil and good ~= nil and good ~= current

local actions = {}
actions["suspend"] = { ["disabled"] = suspended or obj.spec.suspend == true, ["iconClass"] = "fa fa-fw fa-pause" }
actions["resume"] = { ["disabled"] = not suspended and not rolledBack, ["iconClass"] = "fa fa-fw fa-play" }
actions["restart"] = { ["disabled"] = suspended or obj.spec.suspend == true, ["iconClass"] = "fa fa-fw fa-redo" }
actions["rollback"] = { ["disabled"] = rolledBack or not hasOther, ["iconClass"] = "fa fa-fw fa-undo" }
return actions
