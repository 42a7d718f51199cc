-- Frees all GPUs and keeps the object.
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["mimo.dev/suspended"] = "true"
return obj
