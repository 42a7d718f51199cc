-- Goes back from the revision that is asked for to the newest on which all groups were Ready.
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["mimo.dev/rollback"] = obj.status.plan.revision .. ":" .. obj.status.lastGoodRevision
return obj
