-- One tick of one host: its numbers into the rings, and to live pages if any is open.
-- ARGV: slot, moment, host id, its cpu percent, memory and free bytes ("" unknown),
-- and the guests' records as kvmweb.virt.ticks packs them.
--
-- A record kept here is 32 bytes, as kvmweb.rollups.records unpacks it. NaN is unknown
-- among the rates, -1 among the bytes that come, 0xFFFFFFFF among the KiB that stay.

local RECORD, KEPT, SLOTS = 72, 32, 1800
local UNKNOWN_KIB = 4294967295
local NAN = 0 / 0

local slot, moment, host_id = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local packed = ARGV[7]
local offset = slot % SLOTS * KEPT
local heard = redis.call('PUBSUB', 'NUMSUB', 'kvmweb:live')[2] > 0

local function kib(bytes)
  if bytes < 0 then return UNKNOWN_KIB end
  return math.min(math.floor(bytes / 1024), UNKNOWN_KIB - 1)
end

local function whole(number)
  if number ~= number or number < 0 then return 'null' end
  return string.format('%.0f', math.floor(number))
end

local function tenths(number)
  if number ~= number then return 'null' end
  return string.format('%.1f', number)
end

local function known(number)
  if number == number then return number end
  return 0
end

local function keep(key, cpu, used, second, read, written, received, sent)
  local record = struct.pack(
    '<I4fI4I4ffff', slot, cpu, kib(used), kib(second), read, written, received, sent)
  redis.call('SETRANGE', 'kvmweb:ring:' .. key, offset, record)
  redis.call('SET', 'kvmweb:now:' .. key, record, 'EX', 60)
  if slot % 30 == 0 then
    redis.call('EXPIRE', 'kvmweb:ring:' .. key, 7200)
    redis.call('SADD', 'kvmweb:known', key)
  end
end

local function uuid_of(raw)
  local hex = string.gsub(raw, '.', function(byte)
    return string.format('%02x', string.byte(byte))
  end)
  return string.sub(hex, 1, 8) .. '-' .. string.sub(hex, 9, 12) .. '-'
    .. string.sub(hex, 13, 16) .. '-' .. string.sub(hex, 17, 20) .. '-'
    .. string.sub(hex, 21, 32)
end

local function rates_json(read, written, received, sent)
  return ',"disk_read_bytes_s":' .. whole(read) .. ',"disk_write_bytes_s":'
    .. whole(written) .. ',"net_rx_bytes_s":' .. whole(received)
    .. ',"net_tx_bytes_s":' .. whole(sent) .. '}'
end

local lines = { '["numbers",0]' }  -- a number that stands still: none is ever missed

local function tell(topic, data)
  lines[#lines + 1] = '["' .. topic .. '","stats","' .. moment .. '"]'
  lines[#lines + 1] = data
end

local sums = { 0, 0, 0, 0 }
local guests, singles = {}, {}
for at = 1, #packed, RECORD do
  local raw, cpu, used, resident, read, written, received, sent =
    struct.unpack('<c16di8i8dddd', packed, at)
  keep(raw, cpu, used, resident, read, written, received, sent)
  sums[1], sums[2] = sums[1] + known(read), sums[2] + known(written)
  sums[3], sums[4] = sums[3] + known(received), sums[4] + known(sent)
  if heard then
    local uuid = uuid_of(raw)
    local said = '"cpu_percent":' .. tenths(cpu) .. ',"memory_bytes":' .. whole(used)
      .. ',"memory_host_bytes":' .. whole(resident)
      .. rates_json(read, written, received, sent)
    guests[#guests + 1] = '"' .. uuid .. '":{' .. said
    singles[#singles + 1] = { uuid, said }
  end
end

local cpu = tonumber(ARGV[4]) or NAN
local used, free = tonumber(ARGV[5]) or -1, tonumber(ARGV[6]) or -1
keep('kvm-host' .. struct.pack('>I8', tonumber(host_id)), cpu, used, free, unpack(sums))

if heard then
  local said = '"cpu_percent":' .. tenths(cpu) .. ',"memory_bytes":' .. whole(used)
    .. ',"memory_free_bytes":' .. whole(free) .. rates_json(unpack(sums))
  tell('guests', '{"host":' .. host_id .. ',"guests":{' .. table.concat(guests, ',') .. '}}')
  for _, single in ipairs(singles) do
    tell('guest:' .. single[1], '{"at":"' .. moment .. '",' .. single[2])
  end
  tell('hosts', '{"hosts":{"' .. host_id .. '":{' .. said .. '}}')
  tell('host:' .. host_id, '{"at":"' .. moment .. '",' .. said)
  redis.call('PUBLISH', 'kvmweb:live', table.concat(lines, '\n'))
end
