// Renders the templates of rendered.json again, after templates were added there with an empty "rendered":
//
//	go run render.go && mv rendered.new.json rendered.json
package main

import (
	"encoding/json"
	"html/template"
	"log"
	"os"
	"strings"
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

func main() {
	var data map[string]any
	var renderings []rendering
	read("data.json", &data)
	read("rendered.json", &renderings)
	for i := range renderings {
		parsed, err := template.New("").Parse(renderings[i].Template)
		if err != nil {
			log.Fatal(err)
		}
		var out strings.Builder
		if err := parsed.Execute(&out, data); err != nil {
			log.Fatal(err)
		}
		renderings[i].Rendered = out.String()
	}
	file, err := os.Create("rendered.new.json")
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
