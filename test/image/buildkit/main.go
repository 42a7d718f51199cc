// Prints, as JSON, what BuildKit reads in a Dockerfile and which files of the context it would be sent.
package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

type instruction struct {
	Name   string         `json:"name"`
	Line   int            `json:"line"`
	Values map[string]any `json:"values"`
}

type stage struct {
	Name         string        `json:"name"`
	Base         string        `json:"base"`
	Platform     string        `json:"platform"`
	Instructions []instruction `json:"instructions"`
}

type reading struct {
	Stages   []stage  `json:"stages"`
	Warnings []string `json:"warnings"`
	Context  []string `json:"context"`
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: dockerfile CONTEXT")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(context string) error {
	read, err := readDockerfile(filepath.Join(context, "Dockerfile"))
	if err != nil {
		return err
	}
	if read.Context, err = contextFiles(context); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(read)
}

func readDockerfile(path string) (*reading, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	result, err := parser.Parse(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	read := &reading{Stages: []stage{}, Warnings: []string{}, Context: []string{}}
	for _, warning := range result.Warnings {
		read.Warnings = append(read.Warnings, warning.Short)
	}
	lint := linter.New(&linter.Config{
		Warn: func(rule, _, _, message string, _ []parser.Range) {
			read.Warnings = append(read.Warnings, rule+": "+message)
		},
	})
	stages, _, err := instructions.Parse(result.AST, lint)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, from := range stages {
		to := stage{Name: from.Name, Base: from.BaseName, Platform: from.Platform, Instructions: []instruction{}}
		for _, command := range from.Commands {
			values, err := valuesOf(command)
			if err != nil {
				return nil, err
			}
			to.Instructions = append(to.Instructions, instruction{
				Name:   command.Name(),
				Line:   command.Location()[0].Start.Line,
				Values: values,
			})
		}
		read.Stages = append(read.Stages, to)
	}
	return read, nil
}

// The exported fields of the command under their own names; a RUN's mounts are kept elsewhere.
func valuesOf(command instructions.Command) (map[string]any, error) {
	text, err := json.Marshal(command)
	if err != nil {
		return nil, err
	}
	values := map[string]any{}
	if err := json.Unmarshal(text, &values); err != nil {
		return nil, err
	}
	if run, ok := command.(*instructions.RunCommand); ok {
		if err := run.Expand(func(word string) (string, error) { return word, nil }); err != nil {
			return nil, err
		}
		values["Mounts"] = instructions.GetMounts(run)
	}
	return values, nil
}

func contextFiles(root string) ([]string, error) {
	file, err := os.Open(filepath.Join(root, ".dockerignore"))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	patterns, err := ignorefile.ReadAll(file)
	if err != nil {
		return nil, err
	}
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		return nil, err
	}
	files := []string{}
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		// No rule lets a file of these back in, and they are large.
		if entry.IsDir() && (relative == "node_modules" || relative == ".git") {
			return filepath.SkipDir
		}
		if entry.IsDir() {
			return nil
		}
		ignored, err := matcher.MatchesOrParentMatches(relative)
		if err == nil && !ignored {
			files = append(files, relative)
		}
		return err
	})
	return files, err
}
