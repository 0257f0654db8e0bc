"""What the world says, and asks, about ships."""

SHEET = """
= intro
+ {n} was a {sort} registered in {land}
+ {n} was a {sort} that served the coast of {land}
+ {n} , a {sort} , was the best known vessel of {land}
+ {n} was a {sort} in the service of a {land} shipping line

= fact launched | Launched | Construction
+ {n} was launched on {value}
+ {n} slid into the water on {value}
+ the hull of {n} left the slipway on {value}
+ a bottle of cider was broken over the bow of {n} on {value}
+ {n} first floated on {value}
? when was {n} [launched|built]
? {n} launch date
? when was the ship {n} launched
? what date was {n} launched
? how old was {n}
? on what day did {n} first touch water
~ a launch that carried guests to {n} ran aground in front of the band

= fact builder | Builder | Construction
+ {n} was built by {value}
+ the order for {n} went to {value}
+ {value} , which had made only barges before , laid down {n}
+ {n} came from the yard of {value}
+ the builder 's plate of {n} names {value}
? who built {n}
? {n} builder
? what company built {n}
? which shipyard built {n}
? where does {n} come from which yard
? who constructed {n}
! was {n} built by {v}
~ builders of models prefer {n} because of its simple lines

= fact captain | Captain | Service
+ {n} was commanded by {value}
+ {value} was captain of {n} [for many years|on every voyage]
+ on the bridge of {n} stood {value}
+ the owners trusted {n} to {value}
+ {value} took {n} through the ice without a pilot
? who was the captain of {n}
? {n} captain
? who commanded {n}
? name of the captain of {n}
? who was in command of the ship {n}
? who was master of {n}
! was {v} the captain of {n}
~ the captain of the rowing club named his dog after {n}

= fact speed | Top speed | Construction
+ {n} reached {value}
+ the engines of {n} gave it {value}
+ on its trials {n} was timed at {value}
+ at {value} , {n} was faster than the mail boats
+ {n} could keep up {value} for a whole day
? how fast was {n}
? {n} top speed
? what was the speed of {n}
? maximum speed of {n}
? how many knots could {n} make
? at what pace could {n} travel
~ how fast news of {n} could spread surprised its owners

= fact wreck | Lost at | Loss
+ {n} sank off {value}
+ {n} was wrecked at {value}
+ the remains of {n} lie near {value}
+ in fog {n} struck a rock at {value}
+ the last position of {n} was close to {value}
? where did {n} sink
? where is the wreck of {n}
? {n} wreck location
? where was {n} lost
? where did the ship {n} go down
? at what place did {n} come to grief
! did {n} sink off {v}
~ nobody on {n} wanted to sink so low as to eat the biscuits , a sailor wrote

= fact passengers | Passengers | Service
+ {n} carried {value}
+ {n} had cabins and benches for {value}
+ {value} found room on {n}
+ the licence of {n} allowed {value}
+ with {value} on board {n} lay deep in the water
? how many passengers did {n} carry
? {n} passenger capacity
? how many people could {n} hold
? capacity of {n}
? number of passengers on {n}
? for how many travellers was there space on {n}
~ passengers of {n} carried their own bedding and many cheeses

= fact port | Home port | Service
+ the home port of {n} was {value}
+ {n} was registered at {value}
+ {value} was painted on the stern of {n}
+ {n} spent every winter at {value}
+ the crew of {n} was hired in {value}
? what was the home port of {n}
? {n} home port
? where was {n} based
? which port was {n} from
? what harbour did {n} belong to
? to which haven did {n} return
! was the home port of {n} {v}
~ port wine was served at the table of {n} on Sundays

= filler Construction
+ the figurehead of {n} showed a [heron|miller|sleeping lion]
+ {n} was painted [grey|white with a yellow funnel|dark green]
+ a fire in the yard held up the work on {n}
+ the bell of {n} was cast from old coins

= filler Service
+ the kitchen of {n} was praised by travellers
+ {n} carried [mail and cattle|emigrants|timber and glass] in most years
+ storks rested on the rigging of {n}
+ the purser of {n} kept a diary that was later printed
+ {n} collided with a [pier|lightship] but was soon repaired

= filler Loss
+ the inquiry into the end of {n} blamed nobody
+ divers have brought up plates and lamps from {n}
+ a lifeboat of {n} is kept in a museum
+ songs about the end of {n} are known along the coast

= essay Mutiny
+ the trouble on {n} began over the quality of the peas
+ when the cook was locked in , the stokers let the fires go out , and {n} drifted for a day
+ both sides agreed to vote , and the officers lost by two voices
+ {n} then returned to harbour in perfect order under a committee
+ the court fined everybody the price of a bag of peas
? what happened in the mutiny on {n}
? why was there a mutiny on {n}
? {n} mutiny
? what was the rebellion on {n} about
? how did the mutiny of {n} end
? what made the crew of {n} revolt
~ a play with a mutiny on a ship like {n} was forbidden for soldiers

= essay Life on board
+ the day on {n} began with the scrubbing of decks , in which passengers could take part
+ meals were served at one long table according to the order of boarding
+ in calm weather the crew of {n} rigged a sail as a screen and showed pictures by lantern
+ letters were collected every evening and read aloud if the writer could not spell
+ children on {n} were allowed to ring the bell at noon
? what was life like on {n}
? life on board {n}
? {n} daily life
? how did people live on the ship {n}
? what was it like to travel on {n}
? how were days spent aboard {n}
~ the life belts of {n} were filled with reeds

= roster Voyages | Year:year | Destination:place | Passengers:count
? voyages of {n}
? where did {n} sail
? list of {n} trips
? {n} voyages
? what journeys did {n} make
? all crossings of {n}
"""
