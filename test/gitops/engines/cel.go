package main

import (
	"encoding/json"
	"fmt"

	"github.com/google/cel-go/cel"
)

type celQuestion struct {
	Expression string `json:"expression"`
	Object     object `json:"object"`
}

// Evaluates an expression over the object's top level fields, as Flux does with healthCheckExprs.
func evaluate(raw json.RawMessage) (any, error) {
	var question celQuestion
	if err := json.Unmarshal(raw, &question); err != nil {
		return nil, err
	}
	names := []string{"apiVersion", "kind", "metadata", "spec", "status"}
	options := make([]cel.EnvOption, len(names))
	for i, name := range names {
		options[i] = cel.Variable(name, cel.DynType)
	}
	env, err := cel.NewEnv(options...)
	if err != nil {
		return nil, err
	}
	ast, issues := env.Compile(question.Expression)
	if issues.Err() != nil {
		return nil, issues.Err()
	}
	program, err := env.Program(ast)
	if err != nil {
		return nil, err
	}
	value, _, err := program.Eval(question.Object)
	if err != nil {
		return nil, err
	}
	result, ok := value.Value().(bool)
	if !ok {
		return nil, fmt.Errorf("is a %T, not true or false", value.Value())
	}
	return result, nil
}
