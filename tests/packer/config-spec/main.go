// config-spec prints what a plugin's builder answers to Packer's question for its options: a line for each
// block and each option, with its path, kind and type, sorted.
//
//	config-spec [--protobuf] PLUGIN
//
// The plugin is asked through Packer's own SDK, in gob unless protobuf is wanted.
package main

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/hashicorp/packer-plugin-sdk/plugin"
	"github.com/hashicorp/packer-plugin-sdk/rpc"
)

func main() {
	log.SetOutput(io.Discard)
	arguments := os.Args[1:]
	protobuf := len(arguments) > 0 && arguments[0] == "--protobuf"
	if protobuf {
		arguments = arguments[1:]
	}
	if len(arguments) != 1 {
		fmt.Fprintln(os.Stderr, "usage: config-spec [--protobuf] PLUGIN")
		os.Exit(2)
	}
	lines, err := ask(arguments[0], protobuf)
	if err != nil {
		fmt.Fprintf(os.Stderr, "config-spec: %s: %s\n", arguments[0], err)
		os.Exit(1)
	}
	sort.Strings(lines)
	for _, line := range lines {
		fmt.Println(line)
	}
}

// ask starts a plugin, asks it, and ends it.
func ask(path string, protobuf bool) ([]string, error) {
	arguments := []string{"start", "builder", plugin.DEFAULT_NAME}
	if protobuf {
		arguments = append(arguments, "--protobuf")
	}
	command := exec.Command(path, arguments...)
	command.Env = append(os.Environ(),
		plugin.MagicCookieKey+"="+plugin.MagicCookieValue,
		"PACKER_PLUGIN_MIN_PORT=10000",
		"PACKER_PLUGIN_MAX_PORT=25000")
	output, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	defer command.Wait()
	defer command.Process.Kill()
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("it said no address: %w", err)
	}
	parts := strings.SplitN(strings.TrimSpace(line), "|", 4)
	if len(parts) != 4 {
		return nil, fmt.Errorf("%q is no address", line)
	}
	connection, err := net.Dial(parts[2], parts[3])
	if err != nil {
		return nil, err
	}
	client, err := rpc.NewClient(connection)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	client.UseProto = protobuf
	return entries("", client.Builder().ConfigSpec())
}

// entries lists a spec, and the blocks in it, below a path.
func entries(path string, spec hcldec.Spec) ([]string, error) {
	object, err := objectSpec(spec)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", path, err)
	}
	var lines []string
	for key, spec := range object {
		path := path + key
		inner := hcldec.Spec(nil)
		name := key
		switch spec := spec.(type) {
		case *hcldec.AttrSpec:
			name = spec.Name
			line := fmt.Sprintf("%s attribute %s", path, spec.Type.FriendlyName())
			if spec.Required {
				line += " required"
			}
			lines = append(lines, line)
		case *hcldec.BlockSpec:
			name, inner = spec.TypeName, spec.Nested
			lines = append(lines, path+" block")
		case *hcldec.BlockListSpec:
			name, inner = spec.TypeName, spec.Nested
			lines = append(lines, fmt.Sprintf("%s blocks %d %d", path, spec.MinItems, spec.MaxItems))
		default:
			return nil, fmt.Errorf("%s is a %T", path, spec)
		}
		if name != key {
			return nil, fmt.Errorf("%s goes by the name %q", path, name)
		}
		if inner != nil {
			more, err := entries(path+".", inner)
			if err != nil {
				return nil, err
			}
			lines = append(lines, more...)
		}
	}
	return lines, nil
}

// objectSpec returns what a block holds: a pointer where it came in protobuf, a value in gob.
func objectSpec(spec hcldec.Spec) (hcldec.ObjectSpec, error) {
	switch spec := spec.(type) {
	case hcldec.ObjectSpec:
		return spec, nil
	case *hcldec.ObjectSpec:
		return *spec, nil
	}
	return nil, fmt.Errorf("it holds a %T", spec)
}
