package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	lua "github.com/yuin/gopher-lua"
	luajson "layeh.com/gopher-json"
)

// Argo CD gives a script this long.
const limit = time.Second

type luaQuestion struct {
	Script string `json:"script"`
	Object any    `json:"object"`
	// As `useOpenLibs` of argocd-cm; scripts that come with Argo CD always have it.
	OpenLibs bool `json:"openLibs"`
}

// Runs a script with the object as the global `obj`, and returns what it returns.
func runLua(raw json.RawMessage) (any, error) {
	var question luaQuestion
	if err := json.Unmarshal(raw, &question); err != nil {
		return nil, err
	}
	state := lua.NewState(lua.Options{SkipOpenLibs: !question.OpenLibs})
	defer state.Close()
	if err := openLibraries(state); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	state.SetContext(ctx)
	state.SetGlobal("obj", luajson.DecodeValue(state, question.Object))
	if err := state.DoString(question.Script); err != nil {
		return nil, err
	}
	returned := state.Get(-1)
	if returned.Type() != lua.LTTable {
		return nil, fmt.Errorf("returned a %s, not a table", returned.Type())
	}
	encoded, err := luajson.Encode(returned)
	return json.RawMessage(encoded), err
}

// Without open libraries a script has base, package and table, and of os the clock, by require.
func openLibraries(state *lua.LState) error {
	libraries := map[string]lua.LGFunction{
		lua.LoadLibName: lua.OpenPackage,
		lua.BaseLibName: lua.OpenBase,
		lua.TabLibName:  lua.OpenTable,
	}
	for _, name := range []string{lua.LoadLibName, lua.BaseLibName, lua.TabLibName} {
		call := lua.P{Fn: state.NewFunction(libraries[name]), Protect: true}
		if err := state.CallByParam(call, lua.LString(name)); err != nil {
			return err
		}
	}
	state.PreloadModule(lua.OsLibName, func(state *lua.LState) int {
		whole := lua.NewState()
		defer whole.Close()
		clock := state.NewTable()
		for _, name := range []string{"time", "date"} {
			if function, ok := whole.GetField(whole.GetGlobal(lua.OsLibName), name).(*lua.LFunction); ok {
				state.SetField(clock, name, state.NewFunction(function.GFunction))
			}
		}
		state.Push(clock)
		return 1
	})
	return nil
}
