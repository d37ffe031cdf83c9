// Renders the templates of rendered.json and text.json again, after templates were added there with an empty "rendered":
//
//	go run render.go && mv rendered.new.json rendered.json && mv text.new.json text.json
package main

import (
	"encoding/json"
	"html/template"
	"io"
	"log"
	"os"
	"strings"
	plain "text/template"
)

type rendering struct {
	Template string `json:"template"`
	Rendered string `json:"rendered"`
}

func read(name string, into any) {
	text, err := os.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		log.Fatal(err)
	}
}

type executable interface {
	Execute(io.Writer, any) error
}

func render(name string, data any, parse func(string) (executable, error)) {
	var renderings []rendering
	read(name+".json", &renderings)
	for i := range renderings {
		parsed, err := parse(renderings[i].Template)
		if err != nil {
			log.Fatal(err)
		}
		var out strings.Builder
		if err := parsed.Execute(&out, data); err != nil {
			log.Fatal(err)
		}
		renderings[i].Rendered = out.String()
	}
	file, err := os.Create(name + ".new.json")
	if err != nil {
		log.Fatal(err)
	}
	encoder := json.NewEncoder(file)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(renderings); err != nil {
		log.Fatal(err)
	}
}

func main() {
	var data map[string]any
	read("data.json", &data)
	render("rendered", data, func(text string) (executable, error) { return template.New("").Parse(text) })
	code := map[string]any{"Code": "12<3 4>'5\"6&+"}
	render("text", code, func(text string) (executable, error) { return plain.New("").Parse(text) })
}
