-- Health of a MiMoDeployment for Argo CD, from the conditions that kstatus reads, too: Ready, Reconciling, Stalled.
-- Base library only: from argocd-cm scripts run without string, table and math.
local health = {}
health.status = "Progressing"
health.message = "the operator has not looked at it yet"

if obj.status == nil or obj.status.conditions == nil or obj.status.observedGeneration == nil then
  return health
end
-- A condition of an earlier request says nothing of this one.
if obj.status.observedGeneration ~= obj.metadata.generation then
  health.message = "the operator has not looked at the latest change yet"
  return health
end

local conditions = {}
for _, condition in ipairs(obj.status.conditions) do
  conditions[condition.type] = condition
end
local ready = conditions.Ready
if ready == nil then
  return health
end
health.message = ready.message

if conditions.Stalled ~= nil and conditions.Stalled.status == "True" then
  health.status = "Degraded"
  health.message = conditions.Stalled.message
  return health
end
if ready.status == "True" then
  health.status = "Healthy"
  return health
end
if ready.reason == "Suspended" then
  health.status = "Suspended"
  return health
end

-- An update that its owner holds back gets no further by itself.
local rollout = obj.spec.rollout or {}
local serving = obj.status.readyReplicas or 0
local behind = (obj.status.replicas or 0) - (obj.status.updatedReplicas or 0)
if ready.reason == "Updating" and serving == (obj.status.replicas or 0) then
  if rollout.paused == true then
    health.status = "Suspended"
    health.message = "the rollout is paused: " .. ready.message
  elseif rollout.partition ~= nil and behind > 0 and behind <= rollout.partition then
    health.status = "Suspended"
    health.message = "the rollout is held at its partition: " .. ready.message
  end
end
return health
