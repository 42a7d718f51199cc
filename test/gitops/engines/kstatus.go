package main

import (
	"encoding/json"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

type kstatusAnswer struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func computeStatus(raw json.RawMessage) (any, error) {
	var object unstructured.Unstructured
	if err := object.UnmarshalJSON(raw); err != nil {
		return nil, err
	}
	result, err := status.Compute(&object)
	if err != nil {
		return nil, err
	}
	return kstatusAnswer{Status: result.Status.String(), Message: result.Message}, nil
}
