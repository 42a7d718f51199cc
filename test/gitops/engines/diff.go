package main

import (
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
)

const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

type diffQuestion struct {
	Git  json.RawMessage `json:"git"`
	Live json.RawMessage `json:"live"`
}

// The patch that a client-side apply of what Git holds would send: empty where Argo CD calls a custom resource synced.
// Without the annotation of an earlier apply Argo CD takes Git's own text for it.
func threeWayDiff(raw json.RawMessage) (any, error) {
	var question diffQuestion
	if err := json.Unmarshal(raw, &question); err != nil {
		return nil, err
	}
	var live struct {
		Metadata struct {
			Annotations map[string]string `json:"annotations"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(question.Live, &live); err != nil {
		return nil, fmt.Errorf("live object: %w", err)
	}
	original := []byte(live.Metadata.Annotations[lastApplied])
	if len(original) == 0 {
		original = question.Git
	}
	patch, err := jsonmergepatch.CreateThreeWayJSONMergePatch(original, question.Git, question.Live)
	return json.RawMessage(patch), err
}
