// Answers as Argo CD and Flux would: one JSON list of questions on stdin, one of answers on stdout.
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

type object = map[string]any

var engines = map[string]func(json.RawMessage) (any, error){
	"lua":     runLua,
	"kstatus": computeStatus,
	"diff":    threeWayDiff,
	"cel":     evaluate,
}

type answer struct {
	Result any    `json:"result,omitempty"`
	Error  string `json:"error,omitempty"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 2 || engines[os.Args[1]] == nil {
		return fmt.Errorf("usage: %s lua|kstatus|diff|cel", os.Args[0])
	}
	var questions []json.RawMessage
	if err := json.NewDecoder(os.Stdin).Decode(&questions); err != nil {
		return fmt.Errorf("stdin is not a JSON list: %w", err)
	}
	answers := make([]answer, len(questions))
	for i, question := range questions {
		result, err := engines[os.Args[1]](question)
		if err != nil {
			answers[i] = answer{Error: err.Error()}
			continue
		}
		answers[i] = answer{Result: result}
	}
	return json.NewEncoder(os.Stdout).Encode(answers)
}
