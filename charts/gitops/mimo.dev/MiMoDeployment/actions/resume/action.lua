-- What Git says counts again: takes back suspend and rollback.
-- Emptied, not removed: Argo CD restores a map that a script leaves empty.
local annotations = obj.metadata.annotations or {}
if annotations["mimo.dev/suspended"] ~= nil then
  annotations["mimo.dev/suspended"] = "false"
end
if annotations["mimo.dev/rollback"] ~= nil then
  annotations["mimo.dev/rollback"] = ""
end
return obj
