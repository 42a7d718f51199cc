-- Restarts every serving group once, group by group, within rollout.maxUnavailable.
local os = require("os")
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["mimo.dev/restart"] = os.date("!%Y-%m-%dT%H:%M:%SZ")
return obj
