# Turns the YAML of a bin/release into JSON: plain values only, no tags, no aliases.
require 'json'
require 'yaml'

value = YAML.safe_load($stdin.read)
value = {} if value.nil? || value == false
abort 'not a mapping' unless value.is_a?(Hash)
puts JSON.generate(value)
